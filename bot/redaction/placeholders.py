"""What stands where a secret would and is none: examples, variables, masks. And how surprising a text is."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

_REFERENCE: Final = re.compile(
    r"<[^<>]*>|\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*|\{\{.*\}\}|\{[A-Za-z_][\w.]*\}|%\([^()]*\)[sd]|%[A-Za-z_]\w*%|\[[^\[\]]*\]|@[\w.]+@",
    re.DOTALL,
)
_CODE: Final = re.compile(
    r"(?:os\.environ|process\.env|env\.|ENV\[|getenv|secrets\.|vars\.|var\.|config\.|settings\.|self\.|this\.)"
)
_WORDS: Final = (
    "example",
    "changeme",
    "change-me",
    "change_me",
    "placeholder",
    "redacted",
    "dummy",
    "your-",
    "your_",
    "yourpassword",
    "insert-",
    "insert_",
    "replace-",
    "replace_",
    "replaceme",
    "todo",
    "xxxx",
    "****",
    "....",
    "notasecret",
    "not-a-secret",
    "not_a_secret",
)
_PLAIN_WORDS: Final = frozenset(
    {
        "password", "passwd", "passphrase", "secret", "token", "username", "string", "undefined", "required", "optional",
        "disabled", "enabled", "default", "sensitive", "plaintext", "encrypted", "p4ssw0rd", "pass", "user", "none", "null",
    }
)  # fmt: skip
_RUN: Final = re.compile(r"(.)\1{5,}", re.DOTALL)


def is_example(value: str) -> bool:
    """Whether a text in a vendor's format is an example or a mask: documented sample keys, long runs of one character."""
    return "EXAMPLE" in value or _RUN.search(value) is not None or len(set(value)) < 5


def is_placeholder(value: str) -> bool:
    """Whether what is assigned to a secret's name is a variable, a mask, an example or a plain word, and no secret."""
    lower = value.lower().strip("\"'`")
    return (
        len(set(lower)) < (3 if len(lower) > 3 else 2)
        or lower in _PLAIN_WORDS
        or _REFERENCE.fullmatch(value.strip()) is not None
        or _CODE.match(value) is not None
        or "${" in value
        or "{{" in value
        or any(word in lower for word in _WORDS)
    )


def entropy(value: str) -> float:
    """Shannon entropy in bits per character."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values()) if value else 0.0


def looks_random(value: str, *, least_length: int, least_bits: float) -> bool:
    """Whether a text is long and mixed enough to be a key: letters and digits, and no word repeated."""
    return (
        len(value) >= least_length
        and any(char.isdigit() for char in value)
        and any(char.isalpha() for char in value)
        and entropy(value) >= least_bits
    )
