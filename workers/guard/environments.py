"""Programs that start another one in an environment of its own: software collections and Nix."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call


def collection(call: Call) -> None:
    """Software collections: `scl enable NAME... -- COMMAND`."""
    texts = [word.text for word in call.args]
    if texts[:1] != ["enable"] or "--" not in texts:
        raise call.deny("command", "Of `scl` only `enable NAME -- COMMAND` is for building.")
    call.judge.command(call.args[texts.index("--") + 1 :])


_NIX_RISKY: Final = re.compile(
    r"-(?:o|-out-link|-profile|-option|-post-build-hook|-impure-env|-builders|-store|-expr)(?:=.*)?"
)


def nix(call: Call) -> None:
    """Builds and checks; in a development shell the command that is given, and no shell."""
    words = list(call.args)
    if any(_NIX_RISKY.fullmatch(word.text) for word in words):
        raise call.deny(
            "option", f"`{call.program}` may only build what the project describes: leave its other options out."
        )
    command = words[0].text if words else ""
    if (
        call.program == "nix-build"
        or command in {"build", "fmt"}
        or [word.text for word in words[:2]] == ["flake", "check"]
    ):
        return
    place = next((n for n, word in enumerate(words) if word.known and word.text in {"-c", "--command"}), None)
    if command != "develop" or place is None or place + 1 == len(words):
        raise call.deny(
            "command", "Of `nix` only build, fmt, flake check, and develop with --command are for building."
        )
    call.judge.command(words[place + 1 :])


def nix_shell(call: Call) -> None:
    """One command in a shell of Nix."""
    texts = [word.text for word in call.args]
    place = next((n for n, text in enumerate(texts) if text in {"--run", "--command"}), None)
    if place is None or place + 2 != len(texts) or any(_NIX_RISKY.fullmatch(text) for text in texts):
        raise call.deny("command", "`nix-shell` needs --run and a command as its last words.")
    call.judge.script(call.known(call.args[-1], "command"))
