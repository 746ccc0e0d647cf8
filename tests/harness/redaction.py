"""Values that look like secrets, of which none stands whole in a file, and what every form that holds one must show."""

from __future__ import annotations

import random
import string

from bot.redaction import Redactor

ALNUM = string.ascii_letters + string.digits
WORD = "light" + "house"
WEAK = "tundra" + "42"
DRAWN = "nzxs" + "oehf"


def made(length: int) -> str:
    """A text that looks issued."""
    return "".join(random.Random(length).choices(ALNUM, k=length))


def goes_alone(form: str, value: str) -> None:
    """The value is replaced, nothing around it is, and a second time changes nothing."""
    redactor = Redactor()
    before, after = form.format("\0").split("\0")
    done = redactor.redact(f"{before}{value}{after}\n")
    assert len(done.found) == 1
    assert done.text == f"{before}{redactor.placeholder(done.found[0])}{after}\n"
    assert redactor.redact(done.text).text == done.text


def stays(text: str) -> None:
    """Nothing is replaced."""
    assert Redactor().redact(f"{text}\n").text == f"{text}\n"
