"""What a name says about its value, and whether the value can be the secret that the name promises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.redaction.placeholders import entropy, is_placeholder, looks_drawn, looks_issued, looks_random, vocabulary

_PASSWORD: Final = re.compile(
    r"(?i)pass(?:word|wort|wd|phrase|code|wrd)?(?![a-z])|pass(?:word|wd|phrase|code|wort)|pwd|psswd|psw(?![a-z])|(?<![a-z])(?:pw|psk)(?![a-z])|stapsk|requirepass|masterauth|identified|securestring"
)
_SECRET: Final = re.compile(
    r"(?i)secret|credential|(?:private|encrypt(?:ion)?|crypto|cipher|aes|master|signing|hmac|jwt|session)[_.-]?key"
)
_TOKEN: Final = re.compile(
    r"(?i)token|connection_?string|webhook_?url|(?<![a-z])(?:salt|auth|pepper)$|"
    r"(?:api|access|app|auth|consumer|client|subscription|account|storage|license|service|admin|master|server|shared|ssh|deploy|integration|write|user)[_.-]?key"
)


# Last words of names that say what is said about a secret, not the secret.
_ABOUT: Final = vocabulary(
    """name id file filename path dir directory url uri link type kind ref arn length len size field header prefix suffix policy expiry expire expires
    expiration ttl count limit version format manager provider store class hint label regex regexp pattern min max rotation endpoint title text message msg
    error err page form button btn view screen icon image placeholder help tooltip desc description required enabled disabled valid invalid validator
    validation strength change changed reset forgot mismatch incorrect rule column col attr attribute property prop param parameter variable var option
    algorithm alg encoder encoding hasher hashing generator factory service handler callback listener helper util builder resolver reader writer filter
    cache index selector xpath locator element table schema model list map set array dict source lifetime timeout interval duration time date age at on
    location scope group role user username owner issuer audience usage mode status state level position pos start end begin offset mask char case num
    number line spec template expr expression stream buffer used created updated modified last protection recovery question answer plural singular
    dialog modal component controller scheme lookup nag notice popup repository entity dto request response exception failed failure success event action query bundle cmd command blob h startswith endswith contains icontains iexact isnull"""
)
_ABOUT_JOINED: Final = re.compile(
    r"(?:pass|passwd|password|pwd|token|secret|key|credential)s?(?:name|file|path|field|label|length|type|hint|error|input|text|url|format|manager|provider|store|policy|regex|pattern|page|form|button|list|map|size|index|value[ds]?|version|expir\w*|timeout|limit|count|status|id)s?"
)
# First words of names of questions, doings and amounts, and words before `key` or `token` that make it no secret.
_DOING: Final = vocabulary(
    "is has no not num max min show hide use require requires validate check verify forgot delete remove handle on can should"
)
_OTHER_KEYS: Final = vocabulary(
    """public pub primary foreign sort partition cache hash row column table range lookup map dict object translation i18n locale message storage localstorage
    idempotency dedup event metric feature group sub registry unique route query hot arrow keyboard tab shortcut next previous prev continuation page cancel
    cancellation csrf xsrf syntax lex lexer parser object attribute item record entity index json yaml config option setting settings property param field form
    header state react composite natural surrogate search sorting filter site publishable host gpg pgp fingerprint eos bos pad unk mask sep cls bearer
    current start end begin operator string number keyword comment punctuation open close left right last first stop any some each every all"""
)
_PASSES: Final = vocabulary(
    "all any render first second third one two multi single by com over depth shadow color colour main final boarding season event"
)
_PUBLIC: Final = re.compile(
    r"(?i)public_?-?key|pub_?key|publishable|site_?key|checksum|digest|fingerprint|thumbprint|integrity|sha(?:1|256|512)|md5|commit|revision|etag|_pub$"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_.\- ]+")


@dataclass(frozen=True, slots=True)
class Name:
    """What a name promises: a password, a secret of our own making, a token that was issued, or only some key."""

    text: str
    password: bool = False
    secret: bool = False
    token: bool = False

    @staticmethod
    @lru_cache(4_096)
    def of(text: str) -> Name | None:
        """The promise of a name, None where it promises no secret."""
        text = text.strip("-.$_")
        last = re.split(r"[.$]", text)[-1] or text
        words = [word.lower() for word in _HUMP.split(last) if word]
        if not words or _PUBLIC.search(text):
            return None
        ending = words[-1]
        if len(words) > 1:
            if ending in _ABOUT or ending.removesuffix("s") in _ABOUT or words[0] in _DOING:
                return None
            if ending == "pass" and words[-2] in _PASSES:
                return None
            if ending in {"key", "keys", "token", "tokens"} and words[-2] in _OTHER_KEYS:
                return None
        if _ABOUT_JOINED.search(ending) is not None and not ending.endswith(("phrase", "passcode")):
            return None
        return Name(
            text, _PASSWORD.search(last) is not None, _SECRET.search(last) is not None, _TOKEN.search(last) is not None
        )


# From here on stand the alphabets in which people write words and hardly anyone a password.
_OTHER_SCRIPTS: Final = "\u0370"
# Secrets that a person thinks up for an application, and the words that say no more than that.
_MADE_UP: Final = re.compile(
    r"(?i)(?:jwt|session|cookie|app)[_.-]?secret(?:[_.-]?key)?$|secret[_.-]?key(?:[_.-]?base)?$"
)
_NAMED_AFTER: Final = re.compile(r"([a-z]{4,})[_-](?:password|passwd|pass|pwd|secret)")
_SAID: Final = vocabulary(
    """secret secrets token tokens auth access refresh session cookie password passphrase client user name value default string data
    oauth jwt hmac signing encryption private public shared master admin root google github stripe slack test testing this that with some
    strong secure safe new old current database redis postgres mysql mongo smtp mail email production development staging dev prod service
    invalid wrong correct valid reset forgot confirm change enter input random long complex hashed encrypted plain plaintext generated
    login update missing empty required super your very field header storage local config setting settings params"""
)
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_WORDS_JOINED: Final = re.compile(r"[A-Za-z]+(?:[_.: -]+[A-Za-z]+)+[_.:]?|[A-Z]?[a-z]+(?:[A-Z][a-z]+)+")
_CAPITAL: Final = re.compile(r"[A-Z][a-z]+")
_SHOUTED: Final = re.compile(r"[A-Z][A-Z_]+")
_KEYWORD: Final = re.compile(
    r"(?i)pass|pwd|psk|secret|token|credential|cred|key|auth|user|field|input|login|confirm|name|value|prompt|label|header|param|string|error|invalid|required|missing|empty|text|hint|message"
)
_ROLE: Final = re.compile(
    r"(?i)(?:new|old|confirm|current|user|users|txt|input|reset|forgot|change|your|invalid|wrong|bad|no|show|hide|verify|repeat|enter|reenter|retype|has|is|get|set|update|with|the|plain|hashed|encrypted|raw|db|database|original|generate[d]?|valid|incorrect|missing|empty|login|sign|email|one|time|web|https?)+[_-]?(?:password|passwd|pwd|pass|passphrase|secret|token)s?"
)
_PATH: Final = re.compile(
    r"(?:\.{0,2}|~|[A-Za-z]:)[/\\](?![^/\\]*$(?<=[=])).*|(?:https?|file|s3|arn|urn|data|git|ssh|classpath|vault|secretsmanager|ssm|projects|secret|op|kv)[:/].*|[\w./-]+\.(?:txt|json|pem|key|ya?ml|xml|properties|conf|cfg|ini|crt|cer|p12|pfx|jks|pyc?|[jt]sx?|vue|java|class|kt|go|rb|rs|cs|php|html?|css|md|rst|sh|log|csv|env|db|sql|c|cc|cpp|h|hpp|l?o|com|org|net|io)"
    # The scope of a signed request.
    r"|[^/\s]+/\d{8}/[^/\s]+/[^/\s]+/\w+_request"
)
_INTERPOLATED: Final = re.compile(r"\$(?:[A-Za-z_{(]|\d(?!\w{0,3}\$))|@[a-z_]+$|-[a-z-]+$")
_PATTERN: Final = re.compile(
    r":x:\d+:|^\^.*\$$|\[[^\]]*(?:A-Z|a-z|0-9)[^\]]*\]|\\[dws][+*{]|\(\?[=!:]|\.\*|\b(?:required|nullable|sometimes)(?:_\w+(?::\w+)?)?\|"
)
_EXPRESSION: Final = re.compile(
    r"^[+,.)=&?|:;].*[+,.(=&?|:;]$|^[,).]|[?&][A-Za-z_]+=$|^[?&]\w+=|[(]$| \+ |['\"] ?\+|\+ ?['\"]|\w\(.*\)|=>|[{}]\s*$|;$|^\W*$|&&|\|\||(?:required|nullable|confirmed|min:\d+|max:\d+)\||\|(?:required|nullable|confirmed|min:|max:)|</?\w|\\n|\\t|%[0-9A-F]{2}%[0-9A-F]{2}"
)
_CONNECTION: Final = re.compile(r"(?i)connection_?string")
_IN_CONNECTION: Final = re.compile(
    r"(?i)(?:password|pwd|key|secret|token|sig)[ \t]*=|://[^/\s:@]{1,100}:[^/\s@]{1,100}@"
)
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]+")
_RUN_TOGETHER: Final = re.compile(r"[a-z]+")
_SPACED: Final = re.compile(r"\s|^[+,.)]|[+(]$|\w\([\w\"'., ]*\)$|^\w+\(")
_REQUEST: Final = re.compile(
    r"(?i)(?:client|request|change|next|page|continuation|output|input|idempotency|start|nonce|correlation|design|workspace|project|device|push)[_.-]?token"
)
# What stands between the place a value is in and its name: `users#password`, `Form.password`.
_REFERS: Final = ("#", ".", "/", "::", "->")
_VARIABLE: Final = re.compile(r"\$[a-z_]{3,}")
_CONSTANT: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"(?i)(?:0x)?[0-9a-f]{24,}")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?[a-z%]{0,2}")
_APP_PASSWORD: Final = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}")
_DECIMAL: Final = re.compile(r"\d+(?:\.\d+)+")
_VERSION: Final = re.compile(r"v?\d+(?:[._-]\d+)+(?:[.-]?[a-zA-Z]+\d*)?|\d{4}-\d\d-\d\d.*|\d+[.]\d+.*")


def is_secret_value(name: Name, value: str, *, quoted: bool, weak: bool) -> bool:
    """Whether ``value`` can be the secret that ``name`` promises. ``weak``: what stands between them says little."""
    if value != value.strip() and quoted:
        return False
    if len(value) < 3 or len(value) > 512 or is_placeholder(value) or _PATTERN.search(value):
        return False
    lower, called = value.lower(), re.split(r"[.$]", name.text)[-1].lower()
    if (
        lower in {called, name.text.lower()}
        or (called and lower.rstrip("s").endswith(tuple(sign + called.rstrip("s") for sign in _REFERS)))
        or _INTERPOLATED.match(value)
        or _is_prose(value)
        or _PATH.fullmatch(value)
    ):
        return False
    if _EXPRESSION.search(value) and not (
        looks_random(value, least_length=24, least_bits=3.8) and not _SPACED.search(value)
    ):
        return False
    if _CONNECTION.search(name.text):
        return _IN_CONNECTION.search(value) is not None
    if _IDENTIFIER.fullmatch(value) and _KEYWORD.search(value) and not any(char.isdigit() for char in value):
        if name.password:
            joined = _RUN_TOGETHER.fullmatch(value) is not None or (name.text.isupper() and _is_named_after(value))
            return not weak and joined and _ROLE.fullmatch(value) is None
        return not weak and _MADE_UP.search(name.text) is not None and _names_more(value)
    if name.password:
        return _is_password(value, quoted=quoted, weak=weak)
    if _VARIABLE.search(value) is not None and not looks_random(value, least_length=24, least_bits=3.8):
        return False
    if name.secret and (quoted or name.text.isupper()) and _is_own_secret(value, weak=weak):
        return True
    return _is_issued(name.text, value, sure=name.secret or name.token)


def _is_named_after(value: str) -> bool:
    """Whether a password is that of one thing and says so: ``acme_password``."""
    named = _NAMED_AFTER.fullmatch(value)
    return named is not None and named[1] not in _SAID


def _names_more(value: str) -> bool:
    """Whether a made-up phrase has a word besides those that name a secret."""
    words = [word.lower() for word in _HUMP.split(value) if word]
    return len(words) > 1 and any(len(word) > 3 and word not in _SAID for word in words)


def _is_prose(value: str) -> bool:
    """Words for people: a label, a sentence, a text in another script."""
    if not value.isascii() and (
        value.isalpha()
        or any(char >= _OTHER_SCRIPTS for char in value)
        or sum(char > "\x7f" for char in value) * 3 >= len(value)
    ):
        return True
    if any(char.isspace() for char in value):
        if _APP_PASSWORD.fullmatch(value):
            return False
        words = value.split()
        plain = sum(1 for word in words if word.strip(".,:;!?()'\"").isalpha())
        return plain * 2 >= len(words) or len(words) > 4
    return False


def _is_password(value: str, *, quoted: bool, weak: bool) -> bool:
    if len(value) < (6 if weak else 3 if value.isdigit() and quoted else 4) or (" " in value and weak):
        return False
    if _ROLE.fullmatch(value):
        return False
    if _CAPITAL.fullmatch(value) or _SHOUTED.fullmatch(value):
        return quoted and looks_drawn(value)
    if _WORDS_JOINED.fullmatch(value) or value.endswith(":"):
        return _KEYWORD.search(value) is None and (not weak or (len(value) >= 8 and looks_drawn(value)))
    if _LETTERS.fullmatch(value):
        return not weak or looks_issued(value) or looks_drawn(value)
    if _NUMBER.fullmatch(value) and weak:
        return len(value) >= 6 and value.isdigit()
    return not (_VERSION if not quoted else _DECIMAL).fullmatch(value)


def _is_own_secret(value: str, *, weak: bool) -> bool:
    """A secret that a person made up: a phrase with digits or signs, or words that do not name a thing."""
    if len(value) < 6 or " " in value or value.strip("_") != value:
        return False
    if _NUMBER.fullmatch(value):
        return value.isdigit() and not weak
    if _CAPITAL.fullmatch(value) or _SHOUTED.fullmatch(value) or (_LETTERS.fullmatch(value) and value.islower()):
        return looks_issued(value) or looks_drawn(value)
    if _WORDS_JOINED.fullmatch(value):
        return not weak and len(value) >= 8 and _KEYWORD.search(value) is None and "." not in value and ":" not in value
    return not weak and any(char.isdigit() or not char.isalnum() for char in value) and not _VERSION.fullmatch(value)


def _is_issued(name: str, value: str, *, sure: bool) -> bool:
    """A token or key that a machine drew; ``sure`` where the name says so."""
    if (
        any(char.isspace() for char in value)
        or _CONSTANT.fullmatch(value)
        or (value.count("/") > 4 and not looks_random(value, least_length=40, least_bits=4.5))
    ):
        return False
    if _UUID.fullmatch(value):
        return sure and not _REQUEST.search(name)
    if _HEX.fullmatch(value):
        # Forty capital hex digits are a signing key's fingerprint.
        return entropy(value) >= 2.5 and (sure or not (len(value) == 40 and value.upper() == value))
    if not sure:
        return len(value) >= 20 and looks_random(value, least_length=20, least_bits=3.7) and looks_issued(value)
    if looks_random(value, least_length=16, least_bits=3.0) and (
        looks_issued(value) or sum(char.isdigit() for char in value) >= 3
    ):
        return True
    if len(value) >= 8 and (
        (looks_issued(value) and entropy(value) >= 2.7) or (looks_drawn(value) and entropy(value) >= 2.2)
    ):
        return True
    return len(value) >= 24 and entropy(value) >= 4.2 and _WORDS_JOINED.fullmatch(value) is None
