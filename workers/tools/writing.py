"""`write_file` and `edit_file`: an implementer's changes, byte-exact, where what the model sees as a placeholder stays a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.paths import matches_any
from bot.redaction import Redactor
from workers.sandbox.masks import HELD
from workers.sandbox.paths import components
from workers.sandbox.workspaces import write_bytes
from workers.tools.contracts import EditFile, WriteFile
from workers.tools.said import Refused, Said, shown_name
from workers.tools.sources import FolderSource

MORE_PLACEHOLDERS = "The new text has more placeholders of secrets than the old one; what they stand for is not known to you, so leave them where they are."


@dataclass(frozen=True, slots=True)
class Writing:
    """Writes into the workspace at ``root``. ``own``: the paths of this step; others are written and the gate refuses them.

    ``protected``: patterns of paths that are not written at all unless they are the step's own.
    """

    root: Path
    redactor: Redactor
    own: frozenset[str]
    protected: tuple[str, ...] = HELD

    def write_file(self, asked: WriteFile) -> Said:
        """The whole file; placeholders that stood in the old one become what they stand for."""
        self._refuse_protected(asked.path)
        old = self._old(asked.path)
        known = self._secrets(old)
        if self.redactor.placeholders(asked.content) > self.redactor.placeholders(self.redactor.redact(old).text):
            raise Refused(MORE_PLACEHOLDERS)
        self._write(asked.path, _restored(asked.content, known))
        lines = asked.content.count("\n") + (not asked.content.endswith("\n") and asked.content != "")
        return Said(f"Wrote {shown_name(asked.path)}, {lines} lines.{self._warning(asked.path)}")

    def edit_file(self, asked: EditFile) -> Said:
        """One replacement, of text that stands exactly once."""
        self._refuse_protected(asked.path)
        text = _text(asked.path, FolderSource(self.root).read(asked.path))
        if self.redactor.placeholders(asked.new) > self.redactor.placeholders(asked.old):
            raise Refused(MORE_PLACEHOLDERS)
        known = self._secrets(text)
        old = _restored(asked.old, known)
        count = text.count(old)
        if count != 1:
            what = "does not stand in" if count == 0 else f"stands {count} times in"
            raise Refused(
                f"The old text {what} {shown_name(asked.path)}; it must stand there exactly once, so quote more or exactly."
            )
        if asked.old == asked.new:
            raise Refused("The old and the new text are the same, so nothing would change.")
        self._write(asked.path, text.replace(old, _restored(asked.new, known)))
        return Said(f"Edited {shown_name(asked.path)}.{self._warning(asked.path)}")

    def _refuse_protected(self, path: str) -> None:
        """Raises `Refused`, and `UnsafePath` for what is like `.git`; the spellings that count are those of the gates."""
        name = "/".join(components(path))
        pattern = matches_any(self.protected, name)
        if pattern is not None and name not in self.own:
            raise Refused(
                f"{shown_name(path)} is protected by {pattern} and not among this step's paths; leave it as it is, or say in your summary why it should change."
            )

    def _old(self, path: str) -> str:
        try:
            return _text(path, FolderSource(self.root).read(path))
        except Refused:
            return ""  # a new file, or one whose old content does not matter: it is replaced whole

    def _write(self, path: str, text: str) -> None:
        try:
            write_bytes(self.root, path, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise Refused(f"{shown_name(path)} cannot be written: {error.strerror}.") from error

    def _secrets(self, text: str) -> dict[str, str]:
        """What each placeholder of the text stands for."""
        return {self.redactor.placeholder(match): text[match.start : match.end] for match in self.redactor.find(text)}

    def _warning(self, path: str) -> str:
        if path in self.own:
            return ""
        own = ", ".join(map(shown_name, sorted(self.own)))
        return (
            f" Note that this step may only change {own or 'nothing'}; the gate refuses work that changes other paths."
        )


def _text(path: str, data: bytes) -> str:
    if b"\0" in data:
        raise Refused(f"{shown_name(path)} is a binary file, which cannot be edited as text.")
    return data.decode("utf-8", "surrogateescape")


def _restored(text: str, known: Mapping[str, str]) -> str:
    for placeholder, secret in known.items():
        text = text.replace(placeholder, secret)
    return text
