"""What a sandbox, a toolchain or a tree on disk refuses: one sentence each, with the fields to act on it."""

from __future__ import annotations

from dataclasses import dataclass


class SandboxError(Exception):
    """Anything that this room refuses; its text is one sentence that names the mend."""


class SandboxUnavailable(SandboxError):
    """No sandbox can be started on this machine; nothing is ever run without one."""


class ToolchainInvalid(SandboxError):
    """The toolchain cannot be built, or the configured one may not be mounted."""


class SetupFailed(SandboxError):
    """A `setup` command ended with another code than 0."""

    def __init__(self, command: str, exit_code: int, tail: str) -> None:
        """`tail` is the end of what the command printed."""
        super().__init__(command, exit_code, tail)
        self.command = command
        self.exit_code = exit_code
        self.tail = tail

    def __str__(self) -> str:
        """Name the command, the code and the last line it printed."""
        last = self.tail.strip().rsplit("\n", 1)[-1]
        return f"setup command {self.command!r} ended with code {self.exit_code}; mend it in `setup`: {last}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One path that must not leave the machine, and why."""

    path: str
    reason: str


class UnsafePath(SandboxError):
    """A tree holds paths, or a tool asked for one, that must not be followed or published."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Every path that is refused, in the order of the walk."""
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """List at most ten of them."""
        shown = "; ".join(f"{p.path!r} {p.reason}" for p in self.problems[:10])
        rest = len(self.problems) - 10
        return f"refused: {shown}" + (f"; and {rest} more" if rest > 0 else "")
