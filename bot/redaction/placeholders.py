"""What stands where a secret would and is none: examples, variables, masks. And how surprising a text is."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise, product
from typing import Final


def vocabulary(words: str) -> frozenset[str]:
    """A set of words, from one text with white space between them."""
    return frozenset(words.split())


_REFERENCE: Final = re.compile(
    r"<[^<>]*>|&lt;.*&gt;|\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*(?:(?:->|\.|\[)[\w'\"\].>-]*)?|\{\{.*\}\}|\{[A-Za-z_0-9]?[\w.]*\}"
    r"|%\([^()]*\)[sd]|%[A-Za-z_]\w*%|%~\w{1,8}|%[-+0-9.]{0,5}[a-zA-Z]|\[{1,2}[^\[\]]*\]{1,2}|\([A-Za-z_ -]*\)|@[\w.]+@|#[\w.]+#|__[A-Za-z_]+__|:[a-z_]+|![A-Za-z]+( .*)?|&[A-Z][\w-]+",
    re.DOTALL,
)
_TEMPLATE: Final = re.compile(
    r"\$\{|\{\{|\}\}|#\{|<%|%>|\$\(|\{%|%\(\w+\)|\$\[|@\{|%\{|\\\(|%s|\{\d?\}|<[A-Za-z][\w .:|-]*>|\.\.\.|\u2026|\u2022\u2022"
)
_CODE: Final = re.compile(
    r"(?:os\.|process\.|env\.|ENV\[|getenv|secrets\.|vars\.|var\.|local\.|data\.|config\.|settings\.|self\.|this\.|params\.|request\.|module\.)"
)
_WORDS: Final = re.compile(
    r"example|change.{0,3}me|changethis|change.this|change.in|changeit|placeholder|redacted|dummy|insert[-_ ]|replace[-_ ]?(?:me|with|this|by)|replace_"
    r"|todo|fixme|xxxx|(?:^|[_-])x{3}$|\*\*\*|not-?_?a-?_?(?:real|secret|valid|key)|(?:^|[^a-z])(?:your|sua|seu|tu|votre|dein|my)[-_ ](?:.*[-_ ])?(?:pass|pwd|secret|token|key|api|senha|chave|client|access|auth|db|user|app|super)"
    r"|your(?:-|_| |$|secure|strong|super|very|real|database|password|secret|token|key|api|user|own|pass)|(?:pass|secret|token|key|value|code)[-_ ]?(?:goes[-_ ])?here(?:$|[^a-z])|fill[-_ ]?(?:in|me)|enter[-_ ]|-?\bto[-_ ]be[-_]|some[-_ ](?:secret|password|token|key|api)|(?:sample|fake|mock|invalid|bogus)[-_ ]|[-_ ](?:sample|fake|mock)$|senha$"
)
_PLAIN_WORDS: Final = frozenset(
    {
        "password", "passwd", "passphrase", "passcode", "secret", "token", "username", "string", "undefined", "required", "optional",
        "disabled", "enabled", "default", "sensitive", "plaintext", "encrypted", "pass", "pwd", "user", "none", "null", "nil",
        "true", "false", "yes", "no", "text", "hidden", "hashed", "empty", "blank", "unset", "unknown", "invalid", "missing", "value", "key", "apikey",
        "api_key", "api-key", "test", "testing", "foo", "bar", "baz", "foobar", "foobared", "define", "same-origin", "include", "omit", "textarea", "files", "compat", "files systemd", "sample", "fake", "mock", "basic", "bearer", "digest", "prompt",
        "varchar", "boolean", "integer", "number", "object", "array", "any", "char", "bool", "str", "bytes", "int", "float", "void", "auto", "manual", "inherit", "input",
        "field", "label", "name", "type", "email", "login", "forgot", "reset", "error", "warning", "danger", "success", "info", "primary", "ignore",
        "ignored", "generated", "random", "masked", "removed", "hunter", "static", "readonly", "public", "private", "internal", "external", "confidential",
        "credentials", "credential", "oauth", "oauth2", "jwt", "session", "cookie", "header", "query", "body", "path", "file", "keychain", "vault", "env", "environment",
        "utf-8", "utf8", "utf-16", "ascii", "latin1", "latin-1", "iso-8859-1", "base64", "hex", "unicode", "plain", "md5", "sha1", "sha256", "sha512", "bcrypt", "scram-sha-256", "pbkdf2_sha256", "pbkdf2-sha256", "aes", "rsa", "self", "this", "abc", "asdf", "nopasswd", "nopassword",
    }
)  # fmt: skip
_LONG: Final = 20
_LONGEST_TEMPLATE: Final = 40
_SIGNS: Final = frozenset("!@#$%^&*(=+)")
_LEAST_SIGNS: Final = 5
_RUN: Final = re.compile(r"([^0])\1{5,}|0{9,}", re.DOTALL)
_SEQUENCES: Final = ("abcdefghijkl", "0123456789abcdef0123456789abcdef", "12345678901234", "qwertyuiopas")


def is_example(value: str) -> bool:
    """Whether a text in a vendor's format is an example or a mask: documented sample keys, long runs of one character."""
    return (
        "EXAMPLE" in value
        or _RUN.search(value) is not None
        or len(set(value)) < 5
        or any(sequence in value.lower() for sequence in _SEQUENCES)
    )


def is_placeholder(value: str) -> bool:
    """Whether what is assigned to a secret's name is a variable, a mask, an example or a plain word, and no secret."""
    stripped = value.strip()
    lower = stripped.lower().strip("\"'`")
    return (
        len(set(lower)) < (2 if lower.isalnum() else 3)
        or lower in _PLAIN_WORDS
        or _REFERENCE.fullmatch(stripped) is not None
        or _CODE.match(value) is not None
        or (_TEMPLATE.search(value) is not None and not _is_drawn_with_signs(value))
        or _is_worded(stripped)
        or any(sequence in lower for sequence in _SEQUENCES)
    )


def _is_drawn_with_signs(value: str) -> bool:
    """Whether a long text was drawn from letters, digits and signs, as web frameworks draw keys: ``%s`` in it is by chance."""
    return (
        len(value) >= _LONGEST_TEMPLATE
        and not any(char.isspace() for char in value)
        and len(_SIGNS.intersection(value)) >= _LEAST_SIGNS
        and looks_random(value, least_length=_LONGEST_TEMPLATE, least_bits=4.2)
    )


def _is_worded(value: str) -> bool:
    """Whether a text says that it is no secret, and no long drawn one stands beside those words."""
    if _WORDS.search(value.lower()) is None:
        return False
    rest = max(_WORDS.split(value), key=len)
    return "example" in value.lower() or not (
        len(rest) >= _LONG and looks_random(rest, least_length=_LONG, least_bits=3.5) and looks_issued(rest)
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


_SWITCH: Final = re.compile(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])|[a-z][A-Z](?=[A-Z]*[a-z])")
_CLUSTER: Final = re.compile(r"(?i)[bcdfghjklmnpqrstvwxz]{5,}|[aeiou]{4,}|q[^u]")


def looks_issued(value: str) -> bool:
    """Whether a text of letters, digits and a few signs looks drawn at random: no words, digits among letters."""
    if len(value) < 8:
        return False
    switches = sum(1 for _ in _SWITCH.finditer(value)) / len(value)
    return switches >= 0.22 or (len(value) >= 16 and _CLUSTER.search(value) is not None and entropy(value) >= 3.4)


# How many bits a letter behind another letter speaks for words, and against letters drawn at random: a row of 26 for each
# first letter, a digit for each second one, four too high. Counted over the words of Python's own library and of manuals.
_BITS: Final = (
    "24541241403655040656332230634453115306325305535000416132520640553162043541002053347311600412520453411020"
    "42563431201446232665232420534455117005126205444010305122724550043542055342102270127101601332610434401020"
    "43544440001547530455030303613262135142126312426101115223733460141443125331402061246200601512620144420050"
    "64137100502341560143400020515553615032134201563310203345133020345645064453410060226213501511540645412030"
    "42122000300313322342722100614372306023435204553210304142622550232244125651203051326205600321530554312040"
    "45434330401556350556100000612072106002324202320000106123620560031552055210210042536412500432360346220431"
    "5343522250045546035522302260127204601223420232102032"
)
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = {
    one + two: int(digit) - 4 for (one, two), digit in zip(product(_ALPHABET, repeat=2), _BITS, strict=True)
}
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PART: Final = re.compile(r"[A-Za-z0-9]+")
# Names of several parts are often abbreviated.
_ABBREVIATED: Final = 3
# The fewer pairs there are, the clearer they must speak.
_MOST_BITS: Final = ((7, -1), (5, -2), (4, -3))


def looks_drawn(value: str) -> bool:
    """Whether the letters of a text make no words: their pairs are rarer in words than by chance.

    Six drawn letters it knows five times in six, and one word in forty it takes for drawn; of longer texts it is surer.
    """
    parts = _PART.findall(value)
    bits = [
        _PAIRS[pair]
        for part in parts
        for word in _HUMP.split(part)
        for one, two in pairwise(word.lower())
        if (pair := one + two) in _PAIRS
    ]
    most = next((bound for pairs, bound in _MOST_BITS if len(bits) >= pairs), -len(_BITS))
    return sum(bits) <= most - (_ABBREVIATED if len(parts) > 1 else 0)
