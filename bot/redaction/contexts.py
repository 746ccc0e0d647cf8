"""Secrets known by where they stand: after a secret's name, in a URL, in files that hold logins, between PEM markers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from bot.redaction.placeholders import entropy, is_placeholder, looks_random
from bot.redaction.rules import Found, Places, Rule, matches_at

PRIVATE_KEY: Final = "private-key"
ASSIGNED_KINDS: Final = ("password", "assigned-secret")

_NAMES: Final = (
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|credential|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|"
    r"(?:encryption|signing|master|session|account|shared|license|service)[_-]?key|client[_-]?secret|"
    r"connection[_-]?string|webhook[_-]?url"
)
_OWNERS: Final = (
    "api",
    "access",
    "auth",
    "private",
    "encryption",
    "signing",
    "master",
    "session",
    "account",
    "shared",
    "license",
    "service",
)
_SIGNS: Final = ("", "_", "-")
ASSIGNED_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential",
    *(f"{owner}{sign}key" for owner in _OWNERS for sign in _SIGNS),
    *(f"client{sign}secret" for sign in _SIGNS),
    *(f"connection{sign}string" for sign in _SIGNS),
    *(f"webhook{sign}url" for sign in _SIGNS),
)  # fmt: skip
PRIVATE_KEY_WORD: Final = "private key"
# A name that says what is said about a secret, not the secret.
_ABOUT: Final = re.compile(
    r"(?i)[_.-]?(?:name|id|ids|file|path|url|uri|type|kind|ref|arn|length|len|size|field|header|prefix|policy|expiry|"
    r"expires?|ttl|count|limit|limits|version|format|manager|provider|store|class|hint|label|regex|pattern|min|max|rotation|endpoint)s?$"
)
_ASSIGNED: Final = re.compile(
    r"(?i)("
    + _NAMES
    + r")([A-Za-z0-9_.-]{0,30})[\"'`\]]{0,2}(?:[ \t]{0,4}:[ \t]{0,4}[A-Za-z_\[\].|]{1,30}(?=[ \t]{0,4}=))?"
    r"[ \t]{0,8}(=>|:=|={1,3}|:|>)[ \t]{0,8}"
    r"(?:[bfru]{0,2}\"([^\"\r\n]{4,256})\"|[bfru]{0,2}'([^'\r\n]{4,256})'|`([^`\r\n]{4,256})`|([^\s\"'`,;<>(){}\[\]]{4,256}))"
)
_PASSWORD: Final = re.compile(r"(?i)pass|pwd")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::)[A-Za-z_$][\w$]*)*(?:\(.*)?")
# Letters and digits in one word, as no variable for a password is called.
_PASSWORD_WORD: Final = re.compile(
    r"(?i)(?!pass|pwd|pw\d|user|param|arg|field|value|input|hash|sha|md5|base|utf|bcrypt|argon|pbkdf|ripemd)[a-z]*\d[a-z0-9]*"
)
# A digit, or a sign that neither names nor paths are made of.
_UNWORDLY: Final = re.compile(r"[^A-Za-z_./ -]")
_SENTENCE: Final = re.compile(r"[A-Za-z]+(?:[ ,][A-Za-z']*){2,}[.!?:]?")
_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = "-----END"
_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/=\s:,\\-]{0,20000}")
_PEM_LONGEST: Final = 20_000
_PUTTY: Final = re.compile(r"Private-Lines: \d{1,4}\r?\n([A-Za-z0-9+/=\r\n]{1,10000})")


def assignments(text: str, places: Places) -> Iterator[Found]:
    """Finds values assigned to a secret's name, where the value is no placeholder, code or plain word."""
    for match in matches_at(_ASSIGNED, text, ASSIGNED_WORDS, places):
        group = next(number for number in (4, 5, 6, 7) if match[number] is not None)
        quoted = group != 7
        value = match[group] if quoted else match[group].rstrip(":.")
        after = text[match.end() : match.end() + 2]
        if (match[2] and _ABOUT.search(match[2])) or (match[3] == ">" and after != "</"):
            continue
        if not quoted and after.startswith(("(", "[")):
            continue  # a call or a subscript: code that fetches the secret
        if _is_secret_value(value, password=_PASSWORD.match(match[1]) is not None, quoted=quoted):
            kind = ASSIGNED_KINDS[0 if _PASSWORD.match(match[1]) else 1]
            yield Found(kind, match.start(group), match.start(group) + len(value))


def _is_secret_value(value: str, *, password: bool, quoted: bool) -> bool:
    if is_placeholder(value) or value.count(" ") >= 3 or _SENTENCE.fullmatch(value):
        return False
    if not quoted and _IDENTIFIER.fullmatch(value) and not looks_random(value, least_length=16, least_bits=3.3):
        return password and len(value) >= 6 and _PASSWORD_WORD.fullmatch(value) is not None
    if password:
        return (
            len(value) >= 6
            and _UNWORDLY.search(value) is not None
            and not value.startswith(("/", "./", "http://", "https://"))
        )
    if (
        value.startswith(("/", "./", "../"))
        and "/" in value[2:]
        and not looks_random(value, least_length=40, least_bits=4.2)
    ):
        return False
    return looks_random(value, least_length=16, least_bits=3.0) or (
        len(value) >= 20 and entropy(value) >= 3.9 and " " not in value
    )


def private_keys(text: str, places: Places) -> Iterator[Found]:
    """Finds PEM private keys, cut ones too: to the end marker, else as far as it reads like key material."""
    if PRIVATE_KEY_WORD not in places:
        return
    position = 0
    ending = -1
    while (begin := _PEM_BEGIN.search(text, position)) is not None:
        if ending < begin.end():
            found = text.find(_PEM_END, begin.end())
            ending = found if found >= 0 else len(text) + _PEM_LONGEST
        if ending - begin.end() <= _PEM_LONGEST:
            closing = text.find("-----", ending + len(_PEM_END), ending + len(_PEM_END) + 60)
            position = closing + 5 if closing >= 0 else ending + len(_PEM_END)
        else:
            body = _PEM_BODY.match(text, begin.end())
            position = body.end() if body is not None else begin.end()
        yield Found(PRIVATE_KEY, begin.start(), position)


def _login(value: str) -> bool:
    """Whether base64 says ``user:password``."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    name, colon, password = decoded.partition(b":")
    return bool(name and colon and password) and not is_placeholder(password.decode("utf-8", "replace"))


def _password(value: str) -> bool:
    return not is_placeholder(value)


def _bearer(value: str) -> bool:
    return not is_placeholder(value) and looks_random(value, least_length=16, least_bits=3.0)


def _user_token(value: str) -> bool:
    return not is_placeholder(value) and looks_random(value, least_length=20, least_bits=3.2)


_QUERY_NAMES: Final = (
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "token",
    "key",
    "password",
    "secret",
    "client_secret",
    "signature",
    "sig",
)
_QUERY_WORDS: Final = tuple(f"{sign}{name}=" for sign in "?&#" for name in _QUERY_NAMES)

CONTEXT_RULES: Final[tuple[Rule, ...]] = (
    Rule("url-password", re.compile(r"://[^\s/?#\"'<>@:]{0,128}:([^\s/\"'<>@]{1,256})@(?=[\w\[$%])"), ("://",), 1, _password),
    Rule("url-token", re.compile(r"://([A-Za-z0-9_.~-]{20,256})@(?=[\w\[])"), ("://",), 1, _user_token),
    Rule("url-token", re.compile(r"(?i)[?&#](?:access_token|api_?key|auth|token|key|password|secret|client_secret|signature|sig)=([^\s&#\"'<>]{8,512})"), _QUERY_WORDS, 1, _bearer),
    Rule("basic-auth", re.compile(r"(?i)basic[ \t]{1,4}([A-Za-z0-9+/]{6,512}={0,2})"), ("basic",), 1, _login),
    Rule("basic-auth", re.compile(r"(?i)[\"'_]auth[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([A-Za-z0-9+/]{6,512}={0,2})"), ("_auth", '"auth', "'auth"), 1, _login),
    Rule("bearer-token", re.compile(r"(?i)(?:bearer|authorization:[ \t]{0,4}token)[ \t]{1,4}([A-Za-z0-9._~+/-]{16,4000}=*)"), ("bearer", "authorization:"), 1, _bearer),
    Rule("npm-token", re.compile(r"(?i)(?<![A-Za-z0-9])_(?:authToken|auth|password)[ \t]{0,4}=[ \t]{0,4}\"?([^\s\"]{6,512})"), ("_auth", "_password"), 1, _password),
    Rule("netrc-password", re.compile(r"(?i)login[ \t\r\n]{1,8}\S{1,128}[ \t\r\n]{1,8}password[ \t\r\n]{1,8}(\S{1,256})"), ("login",), 1, _password),
    Rule("config-password", re.compile(r"(?im)^[ \t]{0,40}(?:(?:export|set|env|arg)[ \t]{1,4})?[\w.-]{0,40}(?:password|passwd|pwd)[ \t]{0,8}[=:][ \t]{0,8}([^\s\"'#<>(){}\[\],;]{6,256})[ \t]{0,8}\r?$"), ("password", "passwd", "pwd"), 1, lambda value: _is_secret_value(value, password=True, quoted=True), inside=True),
    Rule("connection-string", re.compile(r"(?i)(?:;|\")[ \t]{0,4}(?:password|pwd)[ \t]{0,4}=[ \t]{0,4}([^;\"'\r\n]{1,256})"), ("password", "pwd"), 1, _password, inside=True),
    Rule("command-password", re.compile(r"(?:^|[\s\"'])(?:-u|--user)[ =]{1,4}[\"']?[^\s:\"'/]{1,64}:([^\s\"']{3,256})"), ("-u ", "-u=", "--user"), 1, _password, inside=True),
    Rule("command-password", re.compile(r"(?i)--(?:password|passwd|token|api-key|secret|client-secret)[ =]{1,4}[\"']?([^\s\"']{6,256})"), ("--password", "--passwd", "--token", "--api-key", "--secret", "--client-secret"), 1, lambda value: _is_secret_value(value, password=True, quoted=True)),
    Rule("password-hash", re.compile(r"\$(?:apr1|2[abxy]|1|5|6|y|7|gy|argon2(?:id|i|d))\$[./A-Za-z0-9$,=+-]{20,300}"), ("$apr1$", "$2a$", "$2b$", "$2x$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$7$", "$gy$", "$argon2"), 0, _password),
    Rule("password-hash", re.compile(r"\{S?SHA(?:256|512)?\}[A-Za-z0-9+/]{26,120}={0,2}"), ("{sha", "{ssha"), 0, _password),
    Rule("private-key", _PUTTY, ("private-lines",), 1, _password),
)  # fmt: skip
