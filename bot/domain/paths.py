"""Repository paths: which ones are safe to touch, how people see them, and which patterns cover them (DESIGN sections 3 and 5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from bot.domain import path_globs

MAX_PATH_BYTES = 1_024
WORKFLOW_PATTERNS = (".github/workflows/**",)
"""What no plan and no work may ever touch; the App has no permission for it either."""

_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Unicode's Default_Ignorable_Code_Point outside the categories above (DerivedCoreProperties.txt): drawn as nothing, so
# they hide text. U+FE0E and U+FE0F only pick a glyph's form and stand in plain prose; paths refuse them too.
_IGNORABLE_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2065, 0x2065),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0D),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)
_GLYPH_FORMS = frozenset("\ufe0e\ufe0f")
_SHORT_GIT = re.compile(r"git~[0-9]+")


def _is_hidden(character: str) -> bool:
    if character.isascii():
        return character < " " or character == "\x7f"
    if unicodedata.category(character) in _REFUSED_CATEGORIES:
        return True
    point = ord(character)
    return any(first <= point <= last for first, last in _IGNORABLE_RANGES)


def hidden_characters(text: str, *, allowed: str = "") -> tuple[str, ...]:
    """Control, format, private-use, tag, bidi and otherwise invisible characters of ``text`` but ``allowed``, as ``U+XXXX``.

    In order of first appearance, each once.
    """
    found = dict.fromkeys(one for one in text if one not in allowed and _is_hidden(one))
    return tuple(f"U+{ord(one):04X}" for one in found)


def folded(path: str) -> str:
    """The form in which file systems that ignore case and composition compare ``path``."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def is_git_component(component: str) -> bool:
    """Whether some file system takes ``component`` for ``.git``.

    Case, ignorable code points (HFS+), trailing dots and spaces, stream names and 8.3 forms (NTFS) are folded away, as
    git's own ``verify_path`` with ``core.protectHFS`` and ``core.protectNTFS`` does.
    """
    visible = "".join(one for one in component if one not in _GLYPH_FORMS and not _is_hidden(one))
    name = folded(unicodedata.normalize("NFKC", visible)).split(":", 1)[0].rstrip(". ")
    return name == ".git" or _SHORT_GIT.fullmatch(name) is not None


def _component_problem(component: str) -> str:
    if component == "":
        return "has an empty component"
    if component in {".", ".."}:
        return f"has the component {component!r}"
    if is_git_component(component):
        return "has a component that a file system may take for .git"
    if component[-1] in ". ":
        return "has a component that ends in a dot or a space"
    return ""


def path_problem(path: str) -> str:
    """Why ``path`` may not be read or written as a repository path, as the rest of a sentence; "" when it is fine."""
    if not path:
        return "is empty"
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    for component in path.split("/"):
        problem = _component_problem(component)
        if problem:
            return problem
    hidden = (*hidden_characters(path), *(f"U+{ord(one):04X}" for one in sorted(_GLYPH_FORMS & set(path))))
    if hidden:
        return f"has characters that cannot be seen: {', '.join(hidden)}"
    return ""


def collisions(paths: Iterable[str], existing: Iterable[str]) -> tuple[str, ...]:
    """Those of ``paths`` that a file system which ignores case takes for another of ``paths`` or ``existing``.

    Folders count: ``Src/a`` collides with ``src/b``, and ``a/b`` with a file ``a``. A path that is itself in ``existing``,
    spelled the same, does not collide. Linear in the number of path components.
    """
    wanted = dict.fromkeys(paths)
    spellings: dict[str, set[tuple[str, bool]]] = {}
    for path in (*existing, *wanted):
        for spelling, is_file in _prefixes(path):
            spellings.setdefault(folded(spelling), set()).add((spelling, is_file))
    return tuple(path for path in wanted if any(len(spellings[folded(one)]) > 1 for one, _ in _prefixes(path)))


def _prefixes(path: str) -> list[tuple[str, bool]]:
    parts = path.split("/")
    folders = [("/".join(parts[:count]), False) for count in range(1, len(parts))]
    return [*folders, (path, True)]


def shown(path: str) -> str:
    """``path`` (or an id or a command) for people: printable ASCII stays, all else becomes an escape."""
    return "".join(_shown_character(one) for one in path)


def _shown_character(character: str) -> str:
    point = ord(character)
    if character == "\\":
        return "\\\\"
    if 0x20 <= point < 0x7F:
        return character
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x20 or point == 0x7F:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def matches_any(patterns: Sequence[str], path: str) -> str | None:
    """The first of ``patterns`` that covers ``path``, or None.

    Patterns are those of `path_globs`: ``*`` and ``?`` stay inside a component, ``**`` spans any number of them, ``[abc]``
    is a set, case is ignored, and one without an inner slash matches at any depth. As in ``.gitignore``, a pattern that
    matches a folder covers all below it, with or without a slash at its end.
    """
    # The form with a slash at the end matches the name itself, too: it stands for any number of components below.
    forms = {pattern.rstrip("/") + "/": pattern for pattern in reversed(patterns) if pattern.strip()}
    found = path_globs.matching(list(reversed(forms)), path)
    return None if found is None else forms[found]


def matches(patterns: Sequence[str], path: str) -> bool:
    """Whether any of ``patterns`` covers ``path`` (see ``matches_any``)."""
    return matches_any(patterns, path) is not None
