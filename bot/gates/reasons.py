"""How verifiers word their answers: a reason from the problems that were found, and nothing else (STYLE rule 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.domain.gate import Reason, Verdict

MAX_TOLD = 10
"""Problems told in one sentence; the values hold all of them."""


def passed(verifier: str, sentence: str, **values: Any) -> Reason:
    """The verifier found what it asks for."""
    return Reason(verifier, Verdict.PASS, sentence, values)


def failed(verifier: str, sentence: str, **values: Any) -> Reason:
    """The verifier found something that must not be."""
    return Reason(verifier, Verdict.FAIL, sentence, values)


def unknown(verifier: str, sentence: str, **values: Any) -> Reason:
    """The verifier was not given what it needs; that closes the gate."""
    return Reason(verifier, Verdict.UNKNOWN, sentence, values)


def together(problems: Sequence[str]) -> str:
    """``problems`` as one line, the first ``MAX_TOLD`` of them."""
    told = "; ".join(problem.rstrip(".") for problem in problems[:MAX_TOLD])
    left = len(problems) - MAX_TOLD
    return f"{told}; and {left} more." if left > 0 else f"{told}."


def judged(verifier: str, problems: Sequence[str], fine: str, *, missing: Sequence[str] = (), **values: Any) -> Reason:
    """Failed when there are ``problems``, unknown when something is ``missing``, else passed with the sentence ``fine``."""
    if problems:
        return failed(verifier, together(problems), problems=list(problems), **values)
    if missing:
        return unknown(verifier, together(missing), missing=list(missing), **values)
    return passed(verifier, fine, **values)
