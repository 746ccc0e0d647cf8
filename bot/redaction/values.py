"""What a name says about its value, and whether the value can be the secret that the name promises."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.redaction.placeholders import entropy, is_placeholder, looks_drawn, looks_issued, looks_random, vocabulary

_PASSWORD: Final = re.compile(
    r"(?i)pass(?:word|wort|wd|phrase|code|wrd)?(?![a-z])|pass(?:word|wd|phrase|code|wort)|pwd|psswd|psw(?![a-z])|(?<![a-z])(?:pw|psk)(?![a-z])|stapsk|requirepass|masterauth|identified|securestring|(?:sql|db|user|root|admin|my|ftp|mail|smtp|ldap|bind|wifi|ap|login)_?pw$|passwrd|pswd|psswrd|contrasenia|(?<![a-z])(?:parola|haslo|heslo|sifre|lozinka|jelszo|salasana|adgangskode|losenord)(?![a-z])|senha|contrasena|(?<![a-z])mdp(?![a-z])|mot_?de_?passe|kennwort|wachtwoord"
)
_SECRET: Final = re.compile(
    r"(?i)secret|credential|(?<![a-z])(?:creds?|clave)(?![a-z])|(?:private|encrypt(?:ion)?|crypto|cipher|aes|master|signing|hmac|jwt|session)[_.-]?key"
)
_TOKEN: Final = re.compile(
    r"(?i)token|passkey|_pat$|connection_?string|webhook_?url|(?<![a-z])(?:salt|auth|pepper)$|(?-i:Salt|Pepper)$|"
    r"(?:api|access|app|auth|consumer|client|subscription|account|storage|license|service|admin|master|server|shared|ssh|deploy|integration|write|user|security|sec|crypt|des|rsa|stripe|sendgrid|mailgun|google|maps|firebase|fcm|gcm|saml)[_.-]?key"
)


# Last words of names that say what is said about a secret, not the secret.
_ABOUT: Final = vocabulary(
    """name id file filename path dir directory url uri link type kind ref reference arn length len size field header prefix suffix policy expiry expire expires
    expiration ttl count limit version format manager provider store class hint label regex regexp pattern min max rotation endpoint title text message msg
    error err page form button btn view screen icon image placeholder help tooltip desc description required enabled disabled valid invalid validator
    validation strength check change changed reset forgot mismatch incorrect rule column col attr attribute property prop param parameter variable var option
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
    header state react composite natural surrogate search sorting filter site publishable host gpg pgp fingerprint eos bos pad unk mask sep cls
    current start end begin operator string number keyword comment punctuation open close left right last first stop any some each every all"""
)
_PASSES: Final = vocabulary(
    "all any render first second third one two multi single by com over depth shadow color colour main final boarding season event"
)
_PUBLIC: Final = re.compile(
    r"(?i)public_?-?key|pub_?key|publishable|site_?key|checksum|digest|fingerprint|thumbprint|integrity|sha(?:1|256|512)|md5|commit|revision|etag|_pub$"
)
_GENERIC: Final = re.compile(
    r"(?i)(?:^|[_.$-])(?:key|ivs?|init_?vector(?:_?bytes)?|nonce|\w{0,20}key|\w{0,20}_iv)$|(?<=[a-z])(?:Key|Iv|IV)$|(?:^|_)(?:key|iv)_?[Bb]ytes$"
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_.\- ]+")


@dataclass(frozen=True, slots=True)
class Name:
    """What a name promises: a password, a secret of our own making, a token that was issued, a cipher's key, a phrase of words, or only some key."""

    text: str
    password: bool = False
    secret: bool = False
    token: bool = False
    cipher: bool = False
    phrase: bool = False

    @property
    def generic(self) -> bool:
        """Whether it says no more than ``key`` or ``iv``."""
        return _GENERIC.search(self.text) is not None and not (self.password or self.secret or self.token)

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
            if ending in {"key", "keys"} and words[-2] in {"password", "passwd", "username"}:
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
_SIGNS_WITH: Final = re.compile(
    r"(?i)(?:jwt|session|cookie)[_.-]?secret(?:[_.-]?key)?$|secret[_.-]?or[_.-]?key$|(?:^|_)secret[_.-]?key$"
)
# A password that says whose it is; no field of a form, and no doing.
_HYPHENATED: Final = re.compile(r"[a-z\d]{2,20}(?:-[a-z\d]{2,20}){0,3}-(?:password|passwort|passwd|pass|pwd|pw|secret)")
_ROLES: Final = re.compile(
    r"(?:new|old|confirm|current|users?|txt|input|reset|forgot(?:ten)?|change|you[a-z]{0,2}|invalid|wrong|bad|no|not|show|hide|toggle|verify|repeat|enter|reenter|retype|has|is|get|set|update|with|the|hashed|encrypted|raw|original|generated?|valid|incorrect|missing|empty|login|signin|signup|email|one|web|field|form|lost|weak|too|must|k8s|db|basic|client|oauth|auth|app|account|shared|secret|cluster|plain|some|any|example|sample|fake|dummy|mock)-"
)
# What people call a password while they try something out.
_BOASTFUL: Final = re.compile(
    r"(?i)(?:super|top|very|secure|strong|safe|test|testing|ultra)[_-]?(?:super|top|secure|strong|secret|test|user|admin|db)?[_-]?(?:secret|password|passwd|pass|pwd|pw)"
)
_BOASTS: Final = re.compile(r"super|secure|my|this|very|top|strong|is|the|random|long")
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
    r"(?:\.{0,2}|~|[A-Za-z]:)[/\\](?![^/\\]*$(?<=[=])).*|(?:https?|file|s3|arn|urn|data|git|ssh|classpath|vault|secretsmanager|ssm|projects|secret|op|kv)[:/].*|[a-z][a-z0-9+.-]{1,20}://.*|[\w./-]+\.(?:txt|json|pem|key|ya?ml|xml|properties|conf|cfg|ini|crt|cer|p12|pfx|jks|pyc?|[jt]sx?|vue|java|class|kt|go|rb|rs|cs|php|html?|css|md|rst|sh|log|csv|env|db|sql|c|cc|cpp|h|hpp|l?o|com|org|net|io)"
    # The scope of a signed request.
    r"|[^/\s]+/\d{8}/[^/\s]+/[^/\s]+/\w+_request"
)
_INTERPOLATED: Final = re.compile(r"\$(?:[A-Za-z_{(]|\d(?!\w{0,3}\$))|@[A-Za-z_]+$|-[a-z-]+$")
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
# What something is kept under in a browser or a cache: words, and a version or a year.
_KEPT_UNDER: Final = re.compile(r"[a-z]+(?:[_-][a-z]+)+[_-](?:v?\d{1,2}|20\d\d)")
# Names under which digits alone are a key, and what nobody writes but as one: letters, digits and a sign.
_ISSUED_DIGITS: Final = re.compile(r"(?i)api_?key$|(?:access|refresh|api|auth|developer|bearer)_?token$")
_LEAST_DIGITS: Final = 4
_MIXED_SIGNS: Final = re.compile(r"(?=.*[A-Za-z])(?=.*\d)(?=.*[!@#$^*])[\w!@#$^*?+-]{8,}")
_SALT: Final = re.compile(r"(?i)salt$")
# Three to six words that someone put together, and words with a digit and a sign; not what a form tells its user.
_CHOSEN: Final = re.compile(r"[a-z]{4,12}(?: [a-z]{4,12}){2,5}")
_TELLS: Final = vocabulary(
    """must should shall cannot contain contains match matches least with from than more characters letters special required missing wrong
    incorrect does this that your please between lower upper been already have same different allowed used when only also will"""
)
_MIXED: Final = re.compile(r"(?=.*\d)(?=.*[!@#$%^&*])[\w!@#$%^&*]{3,20}(?: [\w!@#$%^&*]{3,20}){1,2}")
ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
"""An address of electronic mail."""
_PHRASE: Final = re.compile(r"(?i)pass_?phrase$")
_JOINED: Final = re.compile(r"[a-z]+(?:[-:/][a-z0-9]+)+")
_MOST_WORDS: Final = 8
_LABEL: Final = re.compile(r"(?i) ; |pass|phrase|enter|your|please|must|required|confirm|invalid|[.:?!]$")
_NUMBERED: Final = re.compile(r"\d")
_LONG_WITH_BLANKS: Final = 40
_SHORTEST_CIPHER_KEY: Final = 12
_ALGORITHM: Final = re.compile(
    r"(?i)(?:aes|des|rsa|sha|md5|hmac|pbkdf2|chacha|blowfish|rijndael)[-_/]?\d{0,3}(?:[-_/]|$)|(?:[A-Za-z]+[-_. :/])+[A-Za-z]*$"
)
# Masks are made of crosses and noughts.
_ONE_DIGIT: Final = re.compile(r"([1-9])\1{2,9}|0{4,6}")
_APP_PASSWORD: Final = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}")
_DECIMAL: Final = re.compile(r"\d+(?:\.\d+)+")
_VERSION: Final = re.compile(r"v?\d+(?:[._-]\d+)+(?:[.-]?[a-zA-Z]+\d*)?|\d{4}-\d\d-\d\d.*|\d+[.]\d+.*")


def is_secret_value(name: Name, value: str, *, quoted: bool, weak: bool) -> bool:
    """Whether ``value`` can be the secret that ``name`` promises. ``weak``: what stands between them says little."""
    if len(value) < 3 or len(value) > 512 or _PATTERN.search(value) or (quoted and value != value.strip()):
        return False
    if is_placeholder(value):
        return (name.password or name.secret) and not weak and _ONE_DIGIT.fullmatch(value) is not None
    phrase = name.phrase or (quoted and not weak and _is_phrases_name(name.text, value))
    if _is_no_literal(name.text, value) or _is_prose(value, phrase=phrase):
        return False
    if _CONNECTION.search(name.text):
        return _IN_CONNECTION.search(value) is not None
    if _IDENTIFIER.fullmatch(value) and _KEYWORD.search(value) and not any(char.isdigit() for char in value):
        return not weak and _is_worded_secret(name, value, quoted=quoted)
    if name.password:
        return _is_password(name.text, value, quoted=quoted, weak=weak)
    if ADDRESS.fullmatch(value):
        return False
    if _VARIABLE.search(value) is not None and not looks_random(value, least_length=24, least_bits=3.8):
        return False
    keyed = (name.cipher and len(value) >= _SHORTEST_CIPHER_KEY) or (
        _SALT.search(name.text) and _NUMBERED.search(value)
    )
    if keyed and quoted and _is_own_secret(name.text, value, weak=weak) and _ALGORITHM.match(value) is None:
        return True
    if " " in value and (phrase or (name.secret and quoted and not weak and looks_drawn(value))):
        return True
    if name.secret and (quoted or name.text.isupper()) and _is_own_secret(name.text, value, weak=weak):
        return True
    return _is_issued(name.text, value, sure=name.secret or name.token)


def _is_phrases_name(name: str, value: str) -> bool:
    """Whether words may be the secret: a passphrase, or what an application signs with and no label speaks of."""
    return _PHRASE.search(name) is not None or (_SIGNS_WITH.search(name) is not None and _KEYWORD.search(value) is None)


def _is_no_literal(name: str, value: str) -> bool:
    """Whether a value is another name for what ``name`` says, a path, or an expression."""
    lower, called = value.lower(), re.split(r"[.$]", name)[-1].lower()
    return (
        lower in {called, name.lower()}
        or (_CONSTANT.fullmatch(value) is not None and lower.endswith(called))
        or (called != "" and lower.rstrip("s").endswith(tuple(sign + called.rstrip("s") for sign in _REFERS)))
        or _INTERPOLATED.match(value) is not None
        or _PATH.fullmatch(value) is not None
        or (
            _EXPRESSION.search(value) is not None
            and (_SPACED.search(value) is not None or not looks_random(value, least_length=24, least_bits=3.8))
        )
    )


def _is_worded_secret(name: Name, value: str, *, quoted: bool) -> bool:
    """Whether words that speak of a secret are one, and no field's or setting's name."""
    if not name.password:
        return _MADE_UP.search(name.text) is not None and (_names_more(value) or _is_phrase(name, value))
    if _BOASTFUL.fullmatch(value) and _plain(value) not in _plain(name.text):
        return True
    joined = _RUN_TOGETHER.fullmatch(value) is not None
    named = (name.text.isupper() or not quoted or not name.text) and _is_named_after(value)
    return (joined or named) and _ROLE.fullmatch(value) is None


def _is_named_after(value: str) -> bool:
    """Whether a password is that of one thing and says so: ``acme_password``."""
    named = _NAMED_AFTER.fullmatch(value)
    return named is not None and named[1] not in _SAID


def _plain(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def _is_phrase(name: Name, value: str) -> bool:
    """Whether words run together are more than the name of the setting: ``supersecretkey``."""
    shown, called = _plain(value), _plain(name.text)
    return (
        len(shown) >= 10
        and "_" not in value
        and shown not in called
        and called not in shown
        and _BOASTS.search(shown) is not None
    )


def _names_more(value: str) -> bool:
    """Whether a made-up phrase has a word besides those that name a secret."""
    words = [word.lower() for word in _HUMP.split(value) if word]
    return len(words) > 1 and any(len(word) > 3 and word not in _SAID for word in words)


def _is_prose(value: str, *, phrase: bool = False) -> bool:
    """Words for people: a label, a sentence, a text in another script. ``phrase``: words may be a secret."""
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
        if value.isascii() and (
            (phrase and len(words) <= _MOST_WORDS and _LABEL.search(value) is None)
            or (len(words) <= _MOST_WORDS and looks_drawn(value))
        ):
            return False
        if _CHOSEN.fullmatch(value) and _KEYWORD.search(value) is None and not _TELLS.intersection(words):
            return False
        if _MIXED.fullmatch(value) and not any(word.strip(".,:;!?()").isdigit() for word in words):
            return False
        plain = sum(1 for word in words if word.strip(".,:;!?()'\"").isalpha() or _JOINED.fullmatch(word) is not None)
        return plain * 2 >= len(words) or len(words) > 4
    return False


def _is_password(name: str, value: str, *, quoted: bool, weak: bool) -> bool:
    if len(value) < (6 if weak else 3 if quoted and value.isalnum() and any(map(str.isdigit, value)) else 4) or (
        " " in value and weak
    ):
        return False
    if _ROLE.fullmatch(value):
        return False
    if _CAPITAL.fullmatch(value) or _SHOUTED.fullmatch(value):
        return looks_drawn(value)
    if _HYPHENATED.fullmatch(value):
        return (
            not weak
            and _plain(value) not in _plain(name)
            and (_ROLES.match(value) is None or _BOASTFUL.fullmatch(value) is not None)
        )
    if _WORDS_JOINED.fullmatch(value) or value.endswith(":"):
        return _KEYWORD.search(value) is None and (not weak or (len(value) >= 8 and looks_drawn(value)))
    if _LETTERS.fullmatch(value):
        return not weak or looks_issued(value) or looks_drawn(value)
    if _NUMBER.fullmatch(value) and (weak or value[0] in "+-"):
        return len(value) >= 6 and value.isdigit()
    return not (_VERSION if not quoted else _DECIMAL).fullmatch(value)


def _is_own_secret(name: str, value: str, *, weak: bool) -> bool:
    """A secret that a person made up: a phrase with digits or signs, or words that do not name a thing."""
    if _NUMBER.fullmatch(value):
        return value.isdigit() and not weak and len(value) >= 3
    if (len(value) < 6 and not (len(value) == 5 and looks_drawn(value))) or " " in value or value.strip("_") != value:
        return False
    if _CAPITAL.fullmatch(value) or _SHOUTED.fullmatch(value) or (_LETTERS.fullmatch(value) and value.islower()):
        return looks_issued(value) or looks_drawn(value)
    if _WORDS_JOINED.fullmatch(value):
        if _MADE_UP.search(name) is not None and value.count("-") > 1 and _names_more(value):
            return not weak
        return not weak and len(value) >= 8 and _KEYWORD.search(value) is None and "." not in value and ":" not in value
    return not weak and any(char.isdigit() or not char.isalnum() for char in value) and not _VERSION.fullmatch(value)


def _is_issued(name: str, value: str, *, sure: bool) -> bool:
    """A token or key that a machine drew; ``sure`` where the name says so."""
    if (
        (any(char.isspace() for char in value) and (len(value) < _LONG_WITH_BLANKS or entropy(value) < 4.8))
        or _CONSTANT.fullmatch(value)
        or (value.count("/") > 4 and not looks_random(value, least_length=40, least_bits=4.5))
    ):
        return False
    if _UUID.fullmatch(value):
        return sure and not _REQUEST.search(name)
    if _HEX.fullmatch(value):
        # Forty capital hex digits are a signing key's fingerprint.
        return entropy(value) >= 2.5 and (sure or not (len(value) == 40 and value.upper() == value))
    if _KEPT_UNDER.fullmatch(value) and name.lower().endswith("key") and not looks_drawn(value):
        return False
    if value.isdigit():
        return sure and _ISSUED_DIGITS.search(name) is not None and len(value) >= _LEAST_DIGITS
    if sure and _MIXED_SIGNS.fullmatch(value):
        return True
    if not sure:
        return len(value) >= 20 and looks_random(value, least_length=20, least_bits=3.7) and looks_issued(value)
    if looks_random(value, least_length=16, least_bits=3.0) and (
        looks_issued(value) or sum(char.isdigit() for char in value) >= 3
    ):
        return True
    if len(value) >= 8 and (
        (looks_issued(value) and entropy(value) >= 2.4) or (looks_drawn(value) and entropy(value) >= 2.2)
    ):
        return True
    return len(value) >= 24 and entropy(value) >= 4.2 and _WORDS_JOINED.fullmatch(value) is None
