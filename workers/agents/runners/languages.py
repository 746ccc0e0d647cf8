"""Which language a file is in, told from its ending: who parses it, and whose runner runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Grammar: TypeAlias = Literal["python", "javascript", "typescript", "tsx", "go", "java"]
Runner: TypeAlias = Literal["python", "node", "go", "unknown", "none"]


@dataclass(frozen=True, slots=True)
class Language:
    """``grammar``: what its files are parsed by, None where no parser of ours reads them.

    ``runner``: one whose test ids we read, another (``unknown``), or data, which none runs (``none``).
    """

    grammar: Grammar | None
    runner: Runner


_ENDINGS: Final[Mapping[str, Language]] = {
    "py": Language("python", "python"),
    "pyi": Language(None, "python"),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), Language("javascript", "node")),
    **dict.fromkeys(("ts", "mts", "cts"), Language("typescript", "node")),
    **dict.fromkeys(("tsx", "mtsx", "ctsx"), Language("tsx", "node")),
    **dict.fromkeys(("mjsx", "cjsx"), Language("javascript", "node")),
    "go": Language("go", "go"),
    "java": Language("java", "unknown"),
    **dict.fromkeys(
        (
            *("kt", "kts", "scala", "groovy", "rb", "rs", "php", "cs", "fs", "swift", "ex", "exs", "dart", "c", "cc"),
            *("cpp", "cxx", "sh", "bats", "pl", "t", "lua", "hs", "ml", "clj"),
        ),
        Language(None, "unknown"),
    ),
}
_DATA: Final = Language(None, "none")


def language_of(path: str) -> Language:
    """The language by the file's ending, upper or lower case; a file without one is data."""
    name = path.rpartition("/")[2].lower()
    return _ENDINGS.get(name.rpartition(".")[2], _DATA) if "." in name else _DATA
