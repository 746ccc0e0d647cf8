"""Secrets known by the name they are assigned to, in any language: ``DB_PASSWORD=…``, ``"apiKey": "…"``, ``setPassword("…")``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.redaction.placeholders import looks_drawn, looks_issued
from bot.redaction.rules import Found, Places, line_of, starts_of
from bot.redaction.values import Name, is_secret_value

ASSIGNED_KINDS: Final = ("password", "assigned-secret")

_KEY_OWNERS: Final = (
    "api", "app", "access", "auth", "private", "priv", "encrypt", "encryption", "crypto", "cipher", "aes", "signing", "sign", "master",
    "session", "account", "shared", "license", "service", "consumer", "secret", "storage", "admin", "root", "hmac", "client", "jwt", "server",
    "ssh", "user", "rest", "write", "subscription", "integration", "pass", "data", "deploy", "stream", "rapid", "bot",
)  # fmt: skip
_PASS_ENDS: Final = ('"', ' "', "'", "=", ":", " =", "\\", ">", "`", "_", "]", "(", "[", " ||", "**")
ASSIGNED_WORDS: Final = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "credential", "passwort", "psswd", "passkey",
    *(f"{owner}{sign}key" for owner in _KEY_OWNERS for sign in ("", "_", "-", ".", " ")),
    "_key", "-key", ".key", 'key"', "key'", "key=", "key:", "key =", "connectionstring", "connection_string", "webhook_url", "webhookurl",
    *(f"pass{end}" for end in _PASS_ENDS), *(f"pw{end}" for end in ('"', "'", "=", ":", " =")),
    *(f"psw{end}" for end in _PASS_ENDS),
    *(f"auth{end}" for end in ('"', "'", "=", ":", " =")), "_auth", "auth>", "auth[", "salt>", "nonce>", 'salt"', "salt'", "salt=", "salt =", "salt:", "_salt",
    *(f"psk{end}" for end in ('"', "'", "=", ":", " =")), "_psk", "requirepass", "stapsk", "pepper", "pass encoding", "masterauth", "securestring", "userpass", "dbpass", "mypass", "apitoken",
    *(f"pass{digit}" for digit in range(1, 4)), *(f"{word}{end}" for word in ("cred", "creds", "mdp", "clave") for end in ('"', "'", "=", ":", " =")), *(f"_pat{end}" for end in ('"', "=", ":", " =")),
    "passwrd", "pswd", "psswrd", "contrasenia", "parola", "haslo", "heslo", "sifre", "lozinka", "jelszo", "salasana", "adgangskode", "losenord", "nonce:",
    "senha", "contrasena", "motdepasse", "mot_de_passe", "kennwort", "wachtwoord", "nonce =", "nonce=", 'nonce"', "nonce'", "keybytes", "key_bytes", "ivbytes", "iv_bytes", "iv =", 'iv"', "iv'", "ivs =", "vector =", "vectorbytes =", "_iv",
)  # fmt: skip

_TEXT: Final = r"\"(?:[^\"\\\r\n]|\\.){1,512}\"|'(?:[^'\\\r\n]|\\.){1,512}'|`[^`\r\n]{1,512}`"
# What may stand between a name and its value; `weak` says less than an equals sign does.
_WORD_SET: Final = frozenset(ASSIGNED_WORDS)
_AFTER_NAME: Final = re.compile(
    r"(?P<name>[A-Za-z0-9_.$-]{0,60})"
    r"(?:"
    r"(?P<pair>[\"'`]?[ \t]{0,4}[,;]?\s{1,40}(?:android:)?[\"']?(?i:default[_-]?)?(?:[vV]alue|content)[\"']?[ \t]{0,8}[:=][ \t]{0,8}|[\"'],[^()]{0,120}?\bdefault[ \t]{0,4}=[ \t]{0,4}(?=[\"'])|[\"'][ \t]{0,4}[:=]?[ \t]{0,4}\{[^{}]{0,200}?\b(?:default|value)[\"']?[ \t]{0,8}[:=][ \t]{0,8}(?=[\"']))"
    r"|(?P<closed>\\?(?:[\"'`]|\*\*|\(\))?[\])}]{0,2}[?!]?)(?:\[\d{0,6}\])?(?:[ \t]{0,4}\{[ \t]{0,4}get;[^{}\r\n]{0,60}\})?[ \t]{0,20}"
    r"(?:"
    r"(?:(?::[ \t]{0,4}(?:Optional\[)?[A-Za-z_][\w.\[\]<>|&* ?]{0,40}?|(?:string|String|std::string|char|text|(?:n?var)?char2?(?:\(\d+\))?|const char ?\*|byte)[ \t*]{0,4}(?:\[\w*\])?|[aA]s[ \t]\w{1,20})[ \t]{0,8})?"
    r"(?P<sign>=>|:=|:(?:\*\*|__|</(?:b|strong|em)>)|(?<=[\"'][ \t])to(?=[ \t]{1,4}[\"'])|\?\?=|\?=|\|\|=|={1,3}|!==?|->|<-|::(?![A-Za-z_])|:(?!:)|(?:\|\||\?\?)(?=[ \t]{0,4}[\"'`]))(?:[ \t]{0,40}|(?<= [=:])[ \t]{0,4}\r?\n[ \t]{1,80}(?=[\"']|[A-Za-z.]{1,40}\([\"']))(?![=\r\n]|\Z)"
    r"|(?P<tag>(?:[ \t][^<>\r\n]{1,80})?>)(?=[^<>\r\n]{1,512}</)"
    r"|(?P<weak>,\s{0,20}|[ \t]{0,2}[({][ \t]{0,4}|(?<![\"'`])[ \t]{1,20}|\.(?:equals(?:IgnoreCase)?|sendKeys|send_keys|type|typeText|fill|setValue|val|toBe|toEqual|toStrictEqual|isEqualTo|thenReturn|willReturn|to\.(?:equal|eql))\([ \t]{0,4}|(?<![\"'`])[ \t]{1,4}(?:is|as|to|of|by|IS|AS|TO|BY)[ \t:]{1,4})(?=[\"'`@])"
    r")"
    r")"
)
_CALLS: Final = (
    r"(?:(?:await[ \t]|new[ \t])?(?:[\w]{1,30}(?:\.|::|->)){0,3}[\w]{0,30}(?i:hash|crypt|encode|decode|md5|sha1|sha256|bcrypt|make_|string|bytes?|buffer\.from|secret|"
    r"secure|passw(?:or)?d|str|some|optional\.of|literal|tochararray|pointer|ptr)\w{0,20}!?(?:\[\])?\([ \t]{0,4}|\[\]byte\(|byte\[\]\(|[\"']?\$\((?:echo|printf)[ \t](?:-n[ \t])?)"
)
_BEFORE_VALUE: Final = re.compile(
    r"(?:" + _CALLS + r"|"
    r"(?:[\w.]{0,40}(?i:getenv|environ\.get|env|environ|getproperty|getordefault|config|fetch|get)\([ \t]{0,4}[\"'][\w.:-]{1,80}[\"'],[ \t]{0,8}(?:default[ \t]?=[ \t]?)?)|"
    r"[Ff]ield\([ \t]{0,4}(?:default[ \t]?=[ \t]?)?|(?:\w{1,30}::)?\w{0,30}(?:String|Secret)\w{0,10}::(?:from|new)\([ \t]{0,4}|\(\s{0,40}(?=(?:\"[^\"\r\n]*\"|'[^'\r\n]*')\s{0,40}\))|"
    r"(?:(?![\"'])[\w.\[\]\"'()$>-]{1,80}(?:[ \t]{0,4}|\r?\n[ \t]{1,80})(?:\|\||\?\?|\?:|\bor\b)[ \t]{0,4}))?"
    r"(?:[bBfFuUrRLN@]{1,2}(?=[\"'])|\$(?=\"))?"
)
_QUOTED: Final = re.compile(_TEXT)
_TRIPLE: Final = re.compile(r"\"\"\"([^\"\r\n]{1,512})\"\"\"|'''([^'\r\n]{1,512})'''")
_ESCAPED_QUOTE: Final = re.compile(r"\\\"([^\"\\\r\n]{1,512})\\\"|\\'([^'\\\r\n]{1,512})\\'")
# An application's password is shown in four groups of four letters.
_BARE: Final = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}(?=[ \t]*\r?$)|\S{1,512}", re.MULTILINE)
_NAMED: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$")
_LINE_BEGINS: Final = re.compile(
    r"[ \t]*(?:[-*+#;>|][ \t]*|//[ \t]*)*(?:(?:export|set|setx|SET|ENV|ARG|env|declare -x|local|readonly|[Uu]sing|\d+[.:)])[ \t]+)?(?:\$env:|env\.)?[\"'`]?(?:[A-Za-z][A-Za-z0-9_./-]*(?:[ \t]{1,2}[A-Za-z]+){0,2}[ \t]{1,2})?[\"'`]?"
)
_INLINE: Final = re.compile(
    r"[\s\"'`;&|(?](?:--?(?:[a-zA-Z]\s?)?[A-Za-z_-]*|-D[\w.]*|-e\s|/[pP]:|export\s|env\s|&&\s|set\s|ENV\s|ARG\s)?[A-Za-z0-9_.-]*\Z"
)
_SPLIT: Final = re.compile(r"[\"'`;,&|)\]}>]|\\[nrt\"']|\?(?=\w{1,40}=)")
_OPENS: Final = ('"', "'", "`", "\\n")
_QUOTES: Final = ('"', "'", "`")
_PARTED: Final = re.compile(r"\w[._]\w")
_CLOSES: Final = re.compile(r"[ \t]*(?:[\"'`]|\\[nr\"'])")
_QUOTE_LAST: Final = re.compile(r"[\"'`][)\]},;.:`]{0,8}$")
# One of two values, by a condition: a drawn one is a value wherever it stands in that.
_CHOSEN: Final = re.compile(
    r"(?=[^\"'\r\n]{0,120}(?:\?|\b(?:if|unless|or|and)\b|\|\|))[^\"'\r\n]{1,120}(?:\r?\n[ \t]{1,40}|(?<=[\s:]))[\"']([^\"'\s]{24,512})[\"']"
)
_GOES_ON: Final = re.compile(r"[\"'`][ \t]{0,4}(?:\+|\.[ \t]?\$|\.\.)[ \t]?(?![\"'`])")
_OPENING: Final = re.compile(r"[(\[{][ \t]{0,4}[\"'`]@?\Z")
# What is asked of a thing or done to it, behind its name.
_ASKED: Final = re.compile(
    r"\.(?:equals(?:IgnoreCase)?|contentEquals|compareTo|eq|is|toEqual|toBe|value|set|setValue|set_value|setText|sendKeys|send_keys|fill|type|append|put)$"
)
# What is compared with, or put under, a name that is no text; and maps of one pair after the other.
_COMPARES: Final = re.compile(
    r"(?:(?i:assert)[\w.]{0,24}|(?:put|setProperty|set|add))\([ \t]{0,4}[\w.$>()\[\]\"'-]{0,30}\Z"
)
_MAPPED: Final = re.compile(r"(?:Map\.of|mapOf|MapOf|newMap|Map\.create)\([^()\r\n]{0,140}[\"']\Z")
_MAPS: Final = 160
_PUTS: Final = re.compile(
    r"(?i)(?:define|put|set\w{0,20}|append|add\w{0,20}|param|fill|insert|store|with\w{0,20})\([ \t]{0,4}(?:[\"'`]@?)?\Z"
)
_SETTER: Final = re.compile(
    r"^(?:store|key|keystore|truststore)Password$|(?:^|[.$])(?:set|with|enter|type|fill|confirm|Set|With|Enter|Type|Fill|Confirm)[A-Z_]\w*$|[\w)]\.(?:password|passwd|pwd|passphrase)$|^\.(?:password|passwd|pwd|passphrase)$"
)
_TRIES: Final = re.compile(
    r"(?:[\w.$]*[.$])?(?:check|is|has|verify|validate|test|match|matches|compare|try|valid|authenticate)_?([Pp]\w{2,40})"
)
# A call that is given the name of a secret and gives the secret back.
_GETS: Final = re.compile(
    r"(?:[\w$]*[.$])*(?:get|fetch|load|find|read|lookup|retrieve|resolve|query|obtain)(?:_|[A-Z])"
)
# Calls that take a key: what is only called a key is one near them.
_CIPHERS: Final = re.compile(
    r"Cipher|cipher\(|SecretKeySpec|IvParameterSpec|(?:createHmac|Hmac|hmac\.new|AES\.new|AES\.encrypt|AES\.decrypt|openssl_encrypt|openssl_decrypt|[Jj]wt\w{0,12}\.(?:encode|decode|sign|verify|parse|create)|Rijndael|Fernet|encrypt|decrypt)\("
    r"|(?:Aes|AES|DES|TripleDES|Rijndael|RijndaelManaged|AesManaged|AesCryptoServiceProvider)(?:\.Create)?\(|CryptoStream|ICryptoTransform|Create(?:En|De)cryptor\(|CryptoJS\.|SymmetricAlgorithm|CCCrypt\("
)
# A session's options, where any text will do for a secret.
_SESSIONS: Final = re.compile(r"saveUninitialized|\bresave\b|[Cc]ookie-?[Ss]ession|express-session")
_PLACE_NEAR: Final = 600
_AHEAD: Final = 20_000
# A setting of a domain-specific language: `set :password, "…"`; a macro.
_DECLARES: Final = re.compile(
    r"(?:^|\s)(?:set|default|config|option)[ \t]{1,8}:\Z|flag\.(?:String|StringVar|StringP|StringVarP)\((?:&[\w.]{1,40},[ \t]?)?[\"']\Z|set\([ \t]?[\"'][\w.-]{1,30}[\"'],[ \t]?[\"']\Z|#[ \t]{0,4}define[ \t]{1,8}\Z|[\"']String[\"'],[ \t]{0,4}[\"']\Z"
)
_COMMENT: Final = re.compile(r"[ \t]*(?:#.*|//.*|<!--.*|--.*)?\r?")
_CODE_LINES: Final = re.compile(
    r"(?m)^[ \t]*(?:import |from \S+ import|def |class |function\b|func |fun |public |private |protected |static |const |let |var |return\b|if ?\(|if .{1,80}:\r?$|for .{1,80}[:{]\r?$|"
    r"package |using |#include|require|fn |impl |struct |try\b|catch\b|elif |else:|@\w+|<\?php|[})\]]+[;,]?\r?$)|[;{]\r?$|\)\r?$|=> ?[{(]|\) ?:\r?$"
)
_ECHO: Final = 200
_BEFORE: Final = 40
_NAME_ONLY: Final = re.compile(r"[A-Za-z0-9_.-]+")
_SETTINGS: Final = re.compile(
    r"(?m)^[ \t]*(?:- )?(?:export )?[\w.-]{1,60}[ \t]*[:=](?:[ \t]*[^\s({\[][^({;\r\n]{0,200})?\r?$|^[ \t]*\[[\w .:-]{1,60}\][ \t]*\r?$"
)
_FEW: Final = 2
_NEIGHBOURHOOD: Final = 1_200


@dataclass(frozen=True, slots=True)
class _Value:
    start: int
    end: int
    quoted: bool
    weak: bool


class _Nearby:
    """Whether a pattern stands in a stretch of a text. Stretches come in order, and no part is searched twice for one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seen: dict[re.Pattern[str], tuple[int, int]] = {}

    def has(self, pattern: re.Pattern[str], low: int, high: int) -> bool:
        """Whether it begins from ``low`` on, before ``high``."""
        found, searched = self._seen.get(pattern, (-1, -1))
        if found < low and searched < high:
            searched = high + _AHEAD
            match = pattern.search(self._text, low, searched)
            found = match.start() if match is not None else -1
            self._seen[pattern] = found, found if match is not None else searched
        return low <= found < high


def assignments(text: str, places: Places) -> Iterator[Found]:
    """Finds values assigned to a secret's name, where the value is no placeholder, code or plain word."""
    done, nearby = 0, _Nearby(text)
    for start in starts_of(_WORD_SET, places):
        if start < done:
            continue
        match = _AFTER_NAME.match(text, start)
        if match is None:
            continue
        begin = start
        while begin > max(0, start - 60) and text[begin - 1] in _NAMED:
            begin -= 1
        called = _ASKED.sub("", text[begin : match.end("name")])
        handed = (match["weak"] or "").lstrip().startswith("(")
        name = Name.of(called) or (_tried(called) if handed else None)
        if name is None or (handed and _GETS.match(called) is not None):
            continue
        value = _value(text, begin, match)
        if value is None:
            continue
        done = value.start
        shown = text[value.start : value.end]
        # `"pass"` as a key is a test's outcome at least as often as a password.
        outcome = name.text.lower() == "pass" and bool(match["closed"])
        weak = value.weak or outcome or _is_echoed(text, value.start)
        told = _told_by_place(name, value)
        if is_secret_value(name, shown, quoted=value.quoted, weak=weak) or (
            told is not None
            and is_secret_value(told[0], shown, quoted=True, weak=weak)
            and nearby.has(told[1], max(0, begin - _PLACE_NEAR), value.end + _PLACE_NEAR)
        ):
            yield Found(ASSIGNED_KINDS[0 if name.password else 1], value.start, value.end)
            done = value.end


def _told_by_place(name: Name, value: _Value) -> tuple[Name, re.Pattern[str]] | None:
    """What a name that says little promises where the pattern stands near it: a cipher's key, a session's secret."""
    if not value.quoted:
        return None
    if name.generic:
        return Name(name.text, cipher=True), _CIPHERS
    if name.text.lower() == "secret":
        return Name(name.text, password=True, phrase=True), _SESSIONS
    return None


def _tried(called: str) -> Name | None:
    """The password that a call tries: ``checkPassword("…")``."""
    tried = _TRIES.fullmatch(called)
    name = None if tried is None else Name.of(tried[1])
    return name if name is not None and name.password else None


def _is_echoed(text: str, position: int) -> bool:
    """Whether a line is terminal output, as of a test run that shows its sources: a plain word there says little."""
    low, high = line_of(text, position)
    return text.find("\x1b[", max(0, low - _ECHO), min(high + _ECHO, len(text))) >= 0 or text.startswith(
        ("E   ", ">   "), low
    )


def _value(text: str, begin: int, match: re.Match[str]) -> _Value | None:
    """What is assigned: a literal in quotes, a tag's content, or the rest of a configuration's line."""
    at = match.end()
    if match["tag"]:
        return _Value(at, text.index("<", at), quoted=True, weak=False)
    literal = _literal(text, at)
    if literal is not None:
        if _is_beginning(text, literal[1]):
            return None
        if match["weak"] and match["weak"].startswith(",") and not _is_pair(text, begin, match, literal[1]):
            return None
        puts = bool(match["weak"]) and (
            _PUTS.search(text, max(0, begin - 40), begin) is not None
            or _SETTER.search(text[begin : match.end("name")]) is not None
            or _DECLARES.search(text, max(0, begin - _BEFORE), begin) is not None
        )
        return _Value(*literal, quoted=True, weak=bool(match["weak"]) and not puts)
    if match["weak"]:
        return None
    chosen = _CHOSEN.match(text, at)
    if chosen is not None and looks_issued(chosen[1]):
        return _Value(*chosen.span(1), quoted=True, weak=False)
    return _bare(text, begin, match)


def _is_beginning(text: str, end: int) -> bool:
    """Whether a literal is what a longer text begins with: ``"Integration_" + id``."""
    return not text[end - 1].isalnum() and _GOES_ON.match(text, end, end + 12) is not None


def _is_pair(text: str, begin: int, match: re.Match[str], end: int) -> bool:
    """Whether name and value, with a comma between, are all that stands in the brackets: ``put("password", "…")``."""
    if _DECLARES.search(text, max(0, begin - _BEFORE), begin) is not None:
        return True
    closing = text[end + 1 : end + 2] in {")", "]", "}"}
    if closing and (
        _COMPARES.search(text, max(0, begin - _BEFORE), begin) is not None
        or (text[begin - 1 : begin] == "{" and not match["closed"])
    ):
        return True
    if bool(match["closed"]) and _MAPPED.search(text, max(0, begin - _MAPS), begin) is not None:
        return True
    return bool(match["closed"]) and _OPENING.search(text, max(0, begin - 12), begin) is not None and closing


def _literal(text: str, at: int) -> tuple[int, int] | None:
    before = _BEFORE_VALUE.match(text, at)
    at = before.end() if before is not None else at
    for pattern in (_TRIPLE, _ESCAPED_QUOTE):
        found = pattern.match(text, at)
        if found is not None:
            return found.span(1) if found[1] is not None else found.span(2)
    quoted = _QUOTED.match(text, at)
    if quoted is not None and text[quoted.end() : quoted.end() + 4].lstrip().startswith(("==", "!=")):
        return None  # another comparison's left side
    if quoted is None:
        return None
    # Quotes inside the quotes: text that is written into another language's source.
    inner = 3 if quoted[0].startswith('"\\"') and quoted[0].endswith('\\""') else 1
    return quoted.start() + inner, quoted.end() - inner


def _bare(text: str, begin: int, match: re.Match[str]) -> _Value | None:
    """A value without quotes: where a line of configuration, an environment or a command line has one, not code."""
    at = match.end()
    bare = _BARE.match(text, at)
    if bare is None:
        return None
    if match["pair"]:
        return _listed(text, begin, match, bare)
    if "get;" in match[0]:
        return None
    low, high = line_of(text, begin)
    value, sign = bare[0], match["sign"] or ""
    sign = ":" if sign.startswith((":*", ":_", ":<")) else sign
    tight = sign == "=" and match.end("sign") == at and text[match.start("sign") - 1] not in " \t"
    whole = (
        _LINE_BEGINS.fullmatch(text, low, begin) is not None
        and _COMMENT.fullmatch(text, bare.end(), high) is not None
        and _QUOTE_LAST.search(value) is None
    )
    if not whole:
        value = _SPLIT.split(value, maxsplit=1)[0]
        inside = _embedded(text, low, begin, at + len(value), high)
        before = text[begin - _BEFORE : begin] if begin - low > _BEFORE else "\n" + text[low:begin]
        if not inside and (not tight or _INLINE.search(before) is None):
            return None
    value = value.rstrip(",;") if value.endswith((",", ";")) and not tight else value
    if value.startswith(('"', "'", "`", "(", "[", "{", "|", "<")) or (
        value.startswith(("$", "&", "*", "!", "@")) and len(value) < 12
    ):
        return None
    if sign not in {"=", ":", "=>", ":=", "?="}:
        return None
    # A whole setting in quotes: 'db.password=…'.
    alone = text[begin - 1 : begin] in _QUOTES and _CLOSES.match(text, at + len(value), high) is not None
    if not value or _is_code(text, begin, at, value, tight=tight, told=alone or (whole and sign in {"=", ":"})):
        return None
    name = text[begin : match.end("name")]
    parted = alone and _PARTED.search(name) is not None
    sure = whole or (tight and (name.isupper() or parted)) or (parted and name.isupper())
    return _Value(at, at + len(value), quoted=False, weak=not sure)


def _listed(text: str, begin: int, match: re.Match[str], bare: re.Match[str]) -> _Value | None:
    """The value of a list's entry that is a line of its own: ``- name: DB_PASSWORD`` and below it ``value: …``."""
    value, at = bare[0], bare.start()
    if (
        "\n" not in match["pair"]
        or not match["pair"].rstrip().endswith(":")
        or value.startswith((*_QUOTES, "&", "*", "!", "@", "(", "[", "{", "|", "<", ">"))
        or _COMMENT.fullmatch(text, bare.end(), line_of(text, at)[1]) is None
        or _is_code(text, begin, at, value, tight=False, told=True)
    ):
        return None
    return _Value(at, bare.end(), quoted=False, weak=False)


def _embedded(text: str, low: int, begin: int, end: int, high: int) -> bool:
    """Whether an assignment is a line of its own inside a string."""
    opened = max(low, *(at + len(sign) for sign in _OPENS if (at := text.rfind(sign, low, begin)) >= 0), low)
    return _LINE_BEGINS.fullmatch(text, opened, begin) is not None and _CLOSES.match(text, end, high) is not None


def _is_no_variable(value: str, name: str, around: str) -> bool:
    """Whether letters, digits and underscores are hardly a variable's name: no word, and only ever a value."""
    digits = sum(char.isdigit() for char in value)
    titled = name[:1].isupper() and not name.isupper()
    if len(value) < 6 or not (digits >= _FEW or (digits and titled) or looks_drawn(value)):
        return False
    return len(re.findall(rf"[=:][ \t]{{0,20}}[\"'`]?{re.escape(value)}\b", around)) == around.count(value)


_SIMPLE: Final = re.compile(r"\w+")
_WORDLY: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*[,;]?")
_CALL: Final = re.compile(
    r"[A-Za-z_$][\w.$:>-]*[(\[].*|.*[)\]};]:?$|.*\+$|[A-Za-z_.$]+(?:[<>]|\?\.|\?.*:|={2,3}|&&|\|\||!=).*|!+[A-Za-z_].*|[A-Za-z_][\w.]*(?:\|[A-Za-z_][\w.\[\]]*)+;?"
)


def _is_code(text: str, begin: int, at: int, value: str, *, tight: bool, told: bool) -> bool:
    """Whether a value without quotes is an expression: by its form, or as a name that no configuration stands around.

    ``told``: the setting is a whole line or a text of its own. No variable is one then that is no word and named just once.
    """
    if _CALL.fullmatch(value) is not None:
        return True
    if _WORDLY.fullmatch(value) is None:
        return False
    name = _NAME_ONLY.match(text, begin)
    shown = "" if name is None else name[0]
    end = at + len(value)
    if value.endswith((",", ";")) or (not tight and text[end : end + 1] in {",", ";"}):
        return True
    if shown.isupper() and (tight or "=" not in text[begin:at]):
        return False
    around = text[max(0, begin - _NEIGHBOURHOOD) : at + _NEIGHBOURHOOD]
    if told and _SIMPLE.fullmatch(value) is not None and _is_no_variable(value, shown, around):
        return False
    if sum(1 for _ in _CODE_LINES.finditer(around)) >= _FEW:
        return True
    # A line quoted alone must be judged as it is in its file: a plain word needs more than its own line.
    sure = any(char.isdigit() for char in value) or looks_drawn(value) or (tight and shown.count(".") >= _FEW)
    return not sure and sum(1 for _ in _SETTINGS.finditer(around)) < _FEW
