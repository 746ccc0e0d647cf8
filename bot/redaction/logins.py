"""Secrets known by who is handed them: a header that a client sets, an access point, an encoder of ``name:password``, a device."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Final

from bot.redaction.contexts import STRING, is_header, is_literal, is_made_up, is_signed_in, is_told
from bot.redaction.placeholders import is_placeholder, looks_drawn
from bot.redaction.rules import Rule
from bot.redaction.values import Name, is_secret_value

_A_PHRASE: Final = Name("", password=True, phrase=True)
_A_SECRET: Final = Name("", secret=True)
_A_TOKEN: Final = Name("", token=True)
_LOGIN: Final = r"[ \t]{0,4}(?:[\"'][^\"'\r\n]{1,200}[\"']|[\w.]{1,60}),\s{0,8}"
_ADDRESS: Final = r"[\"'][^\"'\r\n]{1,100}@[^\"'\r\n]{1,100}[\"'],\s{0,8}"
# Names of things by number: ``user_12``, ``role-3``.
_NUMBERED: Final = re.compile(
    r"(?i)(?:user|usr|name|id|role|group|org|team|tenant|account|admin|member|guest)[-_.]?\d+"
)
_SHORTEST_CHOSEN: Final = 6


def _network(value: str) -> bool:
    """A network's key, which may be several words."""
    return is_secret_value(_A_PHRASE, value, quoted=True, weak=False)


def _set(value: str) -> bool:
    """What a client sets for a key: short ones too, since there stands nothing else."""
    return is_header(value) or is_secret_value(_A_SECRET, value, quoted=True, weak=False)


def _paired(value: str) -> bool:
    """The password of ``name:password``, and no word that is a label."""
    return is_literal(value) and (not value.isalpha() or looks_drawn(value))


def _community(value: str) -> bool:
    return not is_placeholder(value) and "community" not in value.lower()


def _chosen(value: str) -> bool:
    """What a person signs up with: letters and digits or signs, no name or number of a thing."""
    return (
        len(value) >= _SHORTEST_CHOSEN
        and is_signed_in(value)
        and _NUMBERED.fullmatch(value) is None
        and not value.isdigit()
        and (looks_drawn(value) or any(char.isdigit() for char in value))
    )


def _rule(kind: str, pattern: str, words: tuple[str, ...], secret: Callable[[str], bool], *, before: int = 0) -> Rule:
    return Rule(kind, re.compile("(?i)" + pattern), frozenset(words), 1, secret, before)


def _issued(value: str) -> bool:
    return is_secret_value(_A_TOKEN, value, quoted=True, weak=False)


def _shown(value: str) -> bool:
    """What a manual shows behind a login's name."""
    return (
        is_told(value)
        and _NUMBERED.fullmatch(value) is None
        and "/" not in value
        and any(char.isdigit() for char in value)
    )


_SETTERS: Final = ("header(", "property(", ".set(", ".add(", ".append(", ".put(")
_KEY_HEADERS: Final = ("x-", "api", "private-token")
_SIGN_UPS: Final = tuple(
    f"{doing}{thing}("
    for doing in ("signup", "signin", "login", "register", "registration", "auth", "authentication")
    for thing in ("request", "dto", "form", "data", "input", "command")
)
_OWN_NAMES: Final = ("admin", "root", "user", "test", "demo", "guest", "administrator")
_NEW_USERS: Final = tuple(
    f"{doing}{sign}{thing}("
    for doing, sign, thing in product(("new", "add", "save", "register"), ("", "_"), ("user", "account"))
)

LOGIN_RULES: Final[tuple[Rule, ...]] = (
    _rule("assigned-secret", r"(?:header|property|\.set|\.add|\.append|\.put)\([\"'](?!x-(?:csrf|xsrf))(?:x-[a-z-]{0,30}(?:key|token|secret|auth)|api-?key|private-token)[\"'],[ \t]{0,4}" + STRING, tuple(f"{call}{quote}{header}" for call, quote, header in product(_SETTERS, "\"'", _KEY_HEADERS)), _set),
    _rule("login-password", r"(?:wifi\.begin|\.addap|\.softap)\(" + _LOGIN + STRING, ("wifi.begin(", ".addap(", ".softap("), _network),
    _rule("login-password", r"[\"' ][\w.@+-]{1,64}:([^\s\"':$`|]{4,128})[\"']?[ \t]{0,4}\|[ \t]{0,4}(?:openssl[ \t]{1,4})?base64", ("| base64", "|base64", "| openssl base64"), _paired, before=200),
    _rule("login-password", r"(?:btoa|b64encode|base64_encode|strict_encode64|encode64|encodetostring|stdencoding\.encodetostring|buffer\.from|encodebase64string)\([ \t]{0,4}(?:b|\[\]byte\([ \t]?)?[\"'][\w.@+-]{1,64}:([^\s\"':$`|{}]{4,128})[\"']", ("btoa(", "b64encode(", "base64_encode(", "encode64(", "encodetostring(", "buffer.from(", "encodebase64string("), _paired),
    _rule("login-password", r"[\"']([^\"'\r\n]{3,128})[\"'][ \t]{0,4}\|[ \t]{0,4}(?:ansible\.builtin\.)?password_hash", ("| password_hash", "|password_hash", "| ansible.builtin.password_hash"), is_literal, before=140),
    _rule("config-password", r"snmp-server community [\"']?([^\s\"'<>\[\]{}$]{3,32})[\"']?[ \t]{1,4}(?:ro|rw|view)\b", ("snmp-server community ",), _community),
    _rule("config-password", r"snmp-server host \S{1,64} (?:(?:traps|informs) )?(?:version (?:1|2c) )([^\s\"'<>\[\]{}$]{3,32})", ("snmp-server host ",), _community),
    _rule("password-hash", r" (?:secret|password) \d (\$\d{1,2}\$[^\s\"']{6,128})", (" secret 5 $", " secret 8 $", " secret 9 $", " password 5 $"), bool),
    _rule("login-password", r"(?:and|&|\+|/)[ \t]?password[^\r\n:=]{0,24}[:=][ \t*_`\"'(]{0,6}[\w.@+-]{2,64}[`\"'*_)]{0,3}[ \t]?(?:/|;|:|,|and|&)[ \t]?[`\"'*_(]{0,3}([^\s\"'`*)/,;]{2,63}[^\s\"'`*)/,;.:])", ("and password", "& password", "+ password"), is_told),
    _rule("login-password", r"\w{4,20}\(" + _LOGIN + STRING, _SIGN_UPS + _NEW_USERS, _chosen),
    _rule("login-password", r"\w{4,20}\(" + _LOGIN + _ADDRESS + STRING, _SIGN_UPS + _NEW_USERS, is_literal),
    _rule("login-password", r"(?:bcrypt(?:js)?(?:\.|::)(?:compare|comparesync|checkpw|verify)|password_verify|check_password|verify_password|encoder(?:\(\))?\.matches)\([ \t]{0,4}b?" + STRING + r",", ("bcrypt", "password_verify(", "check_password(", "verify_password(", "encoder.matches(", "encoder().matches("), _paired),
    _rule("login-password", r"(?:check_password_hash|argon2\.verify|ph\.verify|hasher\.verify|verify_password)\([ \t]{0,4}[\w.$\[\]\"'>()-]{1,60},[ \t]{0,4}b?" + STRING, ("check_password_hash(", "argon2.verify(", "ph.verify(", "hasher.verify(", "verify_password("), _paired),
    _rule("login-password", STRING + r"\.equals(?:ignorecase)?\([ \t]{0,4}[\w.$()]{0,40}(?:password|passwd|pwd)(?:\(\)|\b)", (".equals(", ".equalsignorecase("), is_literal, before=132),
    _rule("login-password", STRING + r"[ \t]?={2,3}[ \t]?[\w.$>\[\]\"'-]{0,40}(?:password|passwd|pwd)\b", tuple(f"={sign}{name}" for sign, name in product(("", " ", "$", " $"), ("password", "passwd", "pwd"))), is_literal, before=136),
    _rule("login-password", r"fireevent\.\w{1,12}\([^\r\n;]{0,80}?(?:passw|pwd)[^\r\n;]{0,60}?value:[ \t]?" + STRING, ("fireevent.",), is_literal),
    _rule("login-password", r"\.type\([^\r\n,;\"']{0,60}(?:[\"'/][^\"'/\r\n]{0,20})?(?:passw|pwd)[^\r\n,;]{0,30},\s{0,8}" + STRING, (".type(",), is_literal),
    _rule("login-password", r"\[\w{0,20}(?:passw(?:or)?d|passwd|pwd)\w{0,10},[ \t]?\w{1,40}\][ \t]?=[ \t]?(?:react\.)?usestate(?:<\w{1,20}>)?\(" + STRING, ("usestate(", "usestate<"), is_literal, before=100),
    _rule("login-password", r"(?:password|passwd|pwd)</key>\s{0,40}<string>([^<>\r\n]{3,256})</string>", ("password</key>", "passwd</key>", "pwd</key>"), is_literal),
    _rule("assigned-secret", r"\w{3,9}</key>\s{0,40}<string>([^<>\r\n]{8,256})</string>", ("secret</key>", "token</key>", "apikey</key>", "api_key</key>", "secretkey</key>", "clientkey</key>"), _issued),
    _rule("login-password", r"\$\{[\w ]{0,30}(?:password|passwd|pwd)[\w ]{0,10}\}(?:[ ]{2,20}|\t)([^\s&=][^\s]{3,127})", ("password}  ", "passwd}  ", "pwd}  ", "password}\t"), is_literal, before=40),
    _rule("login-password", r"(?:(?:create|alter)\s{1,4}user|grant\s)[^;\r\n\"']{0,200}?identified by (?:values )?([^\s\"'`;,()]{4,64})", ("create user", "alter user", "grant "), is_told),
    _rule("login-password", r"fills? in \"[^\"\r\n]{0,30}passw[^\"\r\n]{0,20}\" with " + STRING, ('fill in "', 'fills in "'), is_literal),
    _rule("login-password", r"enters? " + STRING + r" (?:in|into|as|for)(?: the)? [^\r\n]{0,30}passw", ('enter "', 'enters "', "enter '", "enters '"), is_literal),
    _rule("login-password", r"(?:" + "|".join(_OWN_NAMES) + r")[`*]{0,3} / [`*]{0,3}([^\s\"'`*)/,;|]{5,64})", tuple(f"{name}{mark} / " for name, mark in product(_OWN_NAMES, ("", "`", "**"))), _shown),
    _rule("login-password", r"@[\w-]{1,40}(?:\.[\w-]{1,20}){1,3}[`*]{0,3} / [`*]{0,3}([^\s\"'`*)/,;|]{5,64})", tuple(f".{top}{mark} / " for top, mark in product(("com", "org", "net", "io", "dev", "test", "local"), ("", "`", "**"))), _shown, before=62),
    _rule("assigned-secret", r"cryptojs\.(?:(?:aes|des|tripledes|rc4|rabbit)\.(?:en|de)crypt|hmac\w{2,10})\([^\r\n,;]{1,120},[ \t]{0,4}" + STRING, ("cryptojs.",), is_made_up),
    _rule("assigned-secret", r"(?:aes\.new|hmac\.new|fernet|symmetricsecuritykey|hmacsha\d{3})\([ \t]{0,4}(?:(?:system\.text\.)?encoding\.\w{1,10}\.getbytes\([ \t]?)?b?" + STRING, ("aes.new(", "hmac.new(", "fernet(", "symmetricsecuritykey(", "hmacsha256(", "hmacsha512("), is_made_up),
)  # fmt: skip
