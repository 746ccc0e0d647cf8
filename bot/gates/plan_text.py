"""Nothing in a plan may be invisible to the person who approves it (DESIGN section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.facts import PlanFacts
from bot.domain.gate import Reason
from bot.domain.paths import hidden_characters
from bot.gates.reasons import judged

PROSE_FIELDS = frozenset({"summary", "text", "intent", "why", "mitigation", "out_of_scope"})
"""Fields in which a text may have several lines."""
_LINE_END = re.compile(r"\r(?=\n|\Z)")


def only_visible_characters(facts: PlanFacts) -> Reason:
    """No control, format, private-use, tag or bidi character in any string; prose and quotes may break lines and indent."""
    problems: list[str] = []
    for pointer, name, text in _strings(facts.plan.model_dump(mode="json")):
        # A quote of a file with CRLF line ends holds them; line ends are where evidence is tolerant.
        seen = _LINE_END.sub("", text) if name == "quote" else text
        found = hidden_characters(seen, allowed="\n\t" if name == "quote" or name in PROSE_FIELDS else "")
        if found:
            problems.append(f"{pointer} has characters that cannot be seen: {', '.join(found)}")
    return judged("characters", problems, "Every character can be seen.")


def _strings(value: Any, pointer: str = "", name: str = "") -> Iterator[tuple[str, str, str]]:
    """Every string with its JSON pointer and the name of the field that holds it."""
    if isinstance(value, str):
        yield pointer, name, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _strings(entry, f"{pointer}/{key}", key)
    elif isinstance(value, list):
        for position, entry in enumerate(value):
            yield from _strings(entry, f"{pointer}/{position}", name)
