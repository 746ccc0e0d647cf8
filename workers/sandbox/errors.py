"""What a sandbox, a toolchain or a tree on disk refuses: one sentence each, with the fields to act on it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.errors import SandboxUnavailable, UserError
from bot.domain.paths import shown

__all__ = ["Problem", "SandboxError", "SandboxUnavailable", "SetupFailed", "ToolchainInvalid", "UnsafePath"]


class SandboxError(UserError):
    """Anything that this room refuses; its text is one sentence that names the mend."""


class ToolchainInvalid(SandboxError):
    """The toolchain cannot be built, or the configured one may not be mounted."""


class SetupFailed(SandboxError):
    """A `setup` command ended with another code than 0."""

    def __init__(self, command: str, exit_code: int, tail: str) -> None:
        """`tail` is the end of what the command printed."""
        last = tail.strip().rsplit("\n", 1)[-1]
        # What a command prints is the repository's: it is shown escaped and short.
        told = f"setup command {command!r} ended with code {exit_code}; mend it in `setup`: {shown(last)[:500]}"
        super().__init__(told, {"command": command, "exit_code": str(exit_code)})
        self.command = command
        self.exit_code = exit_code
        self.tail = tail

    def __reduce__(self) -> tuple[type[SetupFailed], tuple[str, int, str]]:
        """Pickle by what it was made from."""
        return type(self), (self.command, self.exit_code, self.tail)


@dataclass(frozen=True, slots=True)
class Problem:
    """One path that must not leave the machine, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        """Printable ASCII only: a path may hold anything."""
        return f"{self.path!a} {self.reason.encode('ascii', 'backslashreplace').decode()}"


class UnsafePath(SandboxError):
    """A tree holds paths, or a tool asked for one, that must not be followed or published."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Every path that is refused, in the order of the walk; the sentence lists at most ten of them."""
        rest = len(problems) - 10
        told = "; ".join(map(str, problems[:10])) + (f"; and {rest} more" if rest > 0 else "")
        super().__init__(f"refused: {told}")
        self.problems = problems

    def __reduce__(self) -> tuple[type[UnsafePath], tuple[tuple[Problem, ...]]]:
        """Pickle by what it was made from."""
        return type(self), (self.problems,)
