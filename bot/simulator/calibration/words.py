"""Which words speak of access."""

from __future__ import annotations

import re
from typing import Final

# An `author` decides nothing, somebody who authorises does.
_WORDS: Final = re.compile(
    r"auth(?!or(?!i[sz]))|permi(?:t|ssion)|log_?in|role(?!x)|admin|privileg|secured|csrf|forbid|access|owner|trusted"
    r"|\bacl|superuser|is_?staff",
    re.IGNORECASE,
)
_MAY: Final = re.compile(r"(?:^|[^A-Za-z])(?:can|may)(?:_[a-z]|[A-Z])")
_OPENS: Final = re.compile(r"exempt|allow_?any|permit_?all|public|anonymous", re.IGNORECASE)


def about_access(text: str) -> bool:
    """Whether ``text`` speaks of who may do something."""
    return _MAY.search(text) is not None or _WORDS.search(text) is not None


def narrows_access(text: str) -> bool:
    """Whether a decorator or annotation keeps somebody out; one that lets everybody in does not."""
    return about_access(text) and _OPENS.search(text) is None
