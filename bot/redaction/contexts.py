"""Secrets known by where they stand: in a URL, a header, a command line, a call that logs in, or between PEM markers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final

from bot.redaction.placeholders import is_example, is_placeholder, looks_drawn, looks_issued, looks_random
from bot.redaction.rules import Found, Places, Rule
from bot.redaction.values import ADDRESS, Name, is_secret_value

PRIVATE_KEY: Final = "private-key"
PRIVATE_KEY_WORD: Final = "private key"
_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = "-----END"
_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/=\s:,\\-]{0,20000}")
_PEM_LONGEST: Final = 20_000
_PEM_EXAMPLE: Final = re.compile(
    r"[^A-Za-z0-9+/]*(?:[A-Za-z]{0,20}\.{3}|(?i:your|insert|replace|paste|fake|example)|[Xx]{4}|<|\{\{|\$|%s|\[|xxx|\*\*\*|\"|'|`|$)"
)
# The marker is a text of its own.
_PEM_ALONE: Final = re.compile(r"(?:\\[nr]|\s){0,8}[\"'`][ \t]*[;)\]:]")
_PUTTY: Final = r"Private-Lines: \d{1,4}\r?\n((?:[A-Za-z0-9+/=]{1,100}\r?\n){0,300}[A-Za-z0-9+/=]{1,100})(?=\r?\n|\Z)"


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
        if _is_key_material(text[begin.end() : min(position, ending, begin.end() + 200)]):
            yield Found(PRIVATE_KEY, begin.start(), position)


def _is_key_material(body: str) -> bool:
    """Whether what follows the marker begins like a key, not like a mention of the marker or a mask."""
    shown = re.sub(r"\\[nrt]|\s|[\"'+,]", "", body)
    return (
        _PEM_ALONE.match(body) is None
        and len(shown) >= 16
        and re.match(r"[^A-Za-z0-9+/]*[A-Za-z0-9+/=:-]{16}", shown) is not None
        and _PEM_EXAMPLE.match(shown) is None
    )


def _login(value: str) -> bool:
    """Whether base64 says ``user:password``, or is no text at all and reads like a credential of another making."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return _is_credential(value)
    if not decoded.isprintable():
        return _is_credential(value)
    name, colon, password = decoded.partition(":")
    return bool(name and colon and password) and decoded.isascii() and not is_placeholder(password)


def _is_credential(value: str) -> bool:
    """A drawn text. Of letters alone: as long as encoded bytes are, in both cases, and no name of several words."""
    if value.isalpha() and (len(value) % 4 or len(_TURNS.findall(value)) < _LEAST_TURNS):
        return False
    return len(value) >= 8 and not value.islower() and (looks_drawn(value) or is_header(value))


def _password(value: str) -> bool:
    return not is_placeholder(value) and not value.startswith(("{", "$", "<", "%", "[", "`"))


def _passed(value: str) -> bool:
    """A password among a call's arguments, not what should stand there."""
    return _password(value) and " " not in value


def _netrc(value: str) -> bool:
    return _password(value) and not value.startswith(('"', "'", "(")) and not value.endswith((".", ",", ")", ";"))


def _hash(value: str) -> bool:
    return not is_example(value)


def _npm_password(value: str) -> bool:
    return _password(value) and (_CODE_NAME.match(value) is None or (value.isalpha() and looks_drawn(value)))


def _argument(value: str) -> bool:
    return (
        is_literal(value)
        and not value.startswith(("-", ":", "[", "("))
        and _CUT.fullmatch(value) is None
        and value.lower() not in _PROSE
    )


def is_literal(value: str) -> bool:
    """A password in a place where one must stand."""
    return (
        not value.startswith("`")
        and not is_placeholder(value)
        and is_secret_value(_A_PASSWORD, value, quoted=True, weak=False)
    )


def is_signed_in(value: str) -> bool:
    # A word alone may as well be a role.
    return (
        ADDRESS.fullmatch(value) is None
        and _DATE.fullmatch(value) is None
        and (not value.isalpha() or looks_drawn(value))
        and is_literal(value)
    )


def is_made_up(value: str) -> bool:
    """A key that is handed over as it stands."""
    return _ALGORITHM.fullmatch(value) is None and is_secret_value(_A_SECRET, value, quoted=True, weak=False)


_TURNS: Final = re.compile(r"[a-z](?=[A-Z])")
_LEAST_TURNS: Final = 2
_DATE: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_A_SECRET: Final = Name("", secret=True)
_ALGORITHM: Final = re.compile(
    r"(?i)(?:[hrep]s|hmac-?sha|sha|md|aes|des)-?\d{0,3}(?:[-/]\w+){0,3}|base64(?:url)?|hex|latin1|utf-?8"
)
_SCHEME: Final = re.compile(r"(?i)[a-z0-9-]*(?:hmac|sha|md)-?\d{1,3}")
_A_PASSWORD: Final = Name("", password=True)
_A_TOKEN: Final = Name("", token=True)


def _bearer(value: str) -> bool:
    return not is_placeholder(value) and (
        looks_random(value, least_length=16, least_bits=3.0) or _is_short_token(value)
    )


def _is_short_token(value: str) -> bool:
    return is_secret_value(_A_TOKEN, value, quoted=True, weak=True)


def is_header(value: str) -> bool:
    return _SCHEME.fullmatch(value) is None and (
        (not is_placeholder(value) and looks_random(value, least_length=16, least_bits=3.0) and looks_issued(value))
        or _is_short_token(value)
    )


def _phrase(value: str) -> bool:
    """Words from which a wallet's key is made: as many as such a phrase has."""
    return len(value.split()) in {12, 15, 18, 21, 24}


def _default(value: str) -> bool:
    """What a variable is where nothing sets it: a plain word says little there."""
    return is_secret_value(_A_PASSWORD, value, quoted=True, weak=True)


def _user_token(value: str) -> bool:
    return not is_placeholder(value) and looks_random(value, least_length=20, least_bits=3.2)


def _url_password(value: str) -> bool:
    return not (
        is_placeholder(value)
        or _CALLED.fullmatch(value)
        or (value.isdigit() and len(value) < 4)
        or value.startswith(("//", "$", "%", "+", "[", "{"))
        or _SHOUTED.fullmatch(value)
    )


def _slashed_password(value: str) -> bool:
    return _PORT.match(value) is None and _url_password(value) and is_literal(value)


def is_told(value: str) -> bool:
    return (
        _argument(value)
        and (value in _ACCOUNTS or _CODE_NAME.match(value) is None or (value.isalpha() and looks_drawn(value)))
        and _IDS.match(value) is None
    )


def _connection_password(value: str) -> bool:
    return _password(value) and re.search(r"[()*^\s]", value) is None


def _not_ids(value: str) -> bool:
    return _password(value) and not value.isdigit() and not value.startswith((":", "-")) and not value.endswith(">")


# In a sample URL a password is called by what should stand there.
_CALLED: Final = re.compile(
    r"(?i)(?:api|auth|app|access|client|user|account|bot|secret)[_-]?(?:token|secret|key|password|passwd|pass|id|sid)"
)
_SHOUTED: Final = re.compile(r"[A-Z_]*(?:PASS|PWD|PW|SECRET|TOKEN|KEY|CRED)[A-Z_]*")
_CODE_NAME: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Za-z_][\w.]*[(\[]|[A-Za-z_]+$")
_PROSE: Final = frozenset(
    {
        "options",
        "option",
        "argument",
        "arguments",
        "flag",
        "flags",
        "parameter",
        "parameters",
        "and",
        "or",
        "is",
        "for",
        "with",
        "from",
        "in",
        "on",
        "to",
    }
)
# Accounts that are their own password where nobody chose one.
_ACCOUNTS: Final = frozenset(
    ("postgres", "root", "admin", "mysql", "guest", "minioadmin", "rabbitmq", "redis", "mongo", "toor")
)
# A file that carries a process's number, and a sentence's last word.
_IDS: Final = re.compile(r"\d+:\d+:")
_CUT: Final = re.compile(r".*\$\$|[a-z]+[.,:]")
_PORT: Final = re.compile(r"\d{1,5}(?:/|$)")
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
    "access_key",
    "accesskey",
    "app_key",
    "appkey",
    "appid",
    "auth_token",
    "secret_key",
    "subscription-key",
)
_QUERY_WORDS: Final = tuple(f"{sign}{name}=" for sign in "?&#" for name in _QUERY_NAMES)
STRING: Final = r"[\"']([^\"'\r\n]{1,128})[\"']"
_FIRST: Final = r"[ \t]{0,4}[\"'][^\"'\r\n]{1,200}[\"'],\s{0,8}"
_SIGN_INS: Final = (
    "create_user(",
    "createuser(",
    "create_superuser(",
    "createsuperuser(",
    "signin(",
    "sign_in(",
    "signup(",
    "sign_up(",
    "authenticate(",
    "login(",
    "log_in(",
)
_NAMED_FIRST: Final = r"\s{0,60}(?:[\"'][^\"'\r\n]{1,200}[\"'](?:[ \t]?\+\s{0,60}[\"'][^\"'\r\n]{1,200}[\"']){0,2}|[\w.$>-]{1,60}),\s{0,60}"


def _rule(
    kind: str, pattern: str, words: tuple[str, ...], secret: Callable[[str], bool], *, group: int = 1, before: int = 0
) -> Rule:
    return Rule(kind, re.compile(pattern), frozenset(words), group, secret, before)


CONTEXT_RULES: Final[tuple[Rule, ...]] = (
    _rule("url-password", r"://[^\s/?#\"'<>@:]{0,128}:([^\s/\"'<>@]{1,256})@(?=[\w\[$%])", ("://",), _url_password),
    _rule("url-password", r"://[^\s/?#\"'<>@:]{1,128}:([^\s\"'<>@]{1,128})@(?=[\w.-]{1,100}(?::\d{1,5})?(?:[/\"'\s?]|$))", ("://",), _slashed_password),
    _rule("url-token", r"://([A-Za-z0-9_.~-]{20,256})@(?=[\w\[])(?![\w.-]{0,60}sentry)", ("://",), _user_token),
    _rule("url-token", r"(?i)[?&#](?:access_token|(?:api|access|app|secret|subscription)[_-]?key|appid|auth|auth_token|token|key|password|secret|client_secret|signature|sig)=([^\s&#\"'<>]{8,512})", _QUERY_WORDS, _bearer),
    _rule("basic-auth", r"(?i)basic[ \t]{1,4}([A-Za-z0-9+/]{6,512}={0,2})", ("basic ", "basic\t"), _login),
    _rule("basic-auth", r"(?i)[\"'_]auth[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([A-Za-z0-9+/]{6,512}={0,2})", ("_auth", '"auth', "'auth"), _login),
    _rule("bearer-token", r"(?i)(?:bearer|authorization[\"']?:[ \t]{0,4}[\"']?(?:token|api-?key|key)|\btoken)[ \t]{1,4}(?:token=)?[\"']?([A-Za-z0-9._~+/-]{8,4000}=*)", ("bearer ", "authorization", "'token ", '"token '), _bearer),
    _rule("bearer-token", r"(?i)(?:x-[a-z-]{0,30}(?:api-?key|token|auth|key|secret)|api-?key|authorization|private-token)[\"']?(?:\]?[ \t]{0,2}=|[:,])[ \t]{0,4}[\"']?([A-Za-z0-9._~+/=-]{12,400})", ("x-", "authorization", "apikey:", "api-key:", "private-token"), is_header),
    _rule("npm-token", r"(?i)(?<![A-Za-z0-9])_(?:authToken|auth|password)[ \t]{0,4}=[ \t]{0,4}\"?([^\s\"]{6,512})", ("_auth", "_password"), _npm_password),
    _rule("login-password", r"(?i)\b(?:user(?:name)?|login|e-?mail|account|id)[\"']?[ \t]{0,2}[:=][ \t]{0,2}[^\s,;]{1,64}[ \t]{0,4}[,;/|&]?[ \t]{0,4}(?:and[ \t])?(?:the[ \t])?(?:password|passwd|pass|pwd|pw)[ \t]{0,2}[:=][ \t]{0,2}([^\s,;\"'`)]{4,64})", ("password", "passwd", "pass:", "pwd:", "pw:"), is_told, before=100),
    _rule("config-password", r"(?i)(?:proxy_set_header[ \t]{1,8}\S{0,40}(?:key|token|auth\w{0,20}|secret)[ \t]{1,8}|set[ \t]{1,4}\$\w{0,40}(?:key|token|secret|password)[ \t]{1,8})[\"']?(?:bearer |basic )?([^\s\"';$]{8,256})[\"']?;", ("proxy_set_header", "set $"), is_header),
    _rule("config-password", r"(?:PASSWORD|PASSWD|SECRET|TOKEN|_KEY):?-([^\s{}$\"']{4,256})\}", ("password:-", "passwd:-", "secret:-", "token:-", "_key:-", "password-", "secret-", "token-"), is_told),
    _rule("config-password", r"\$\{[\w.-]{0,60}(?i:passw(?:or)?d|passwd|pwd|pass|secret|token|[_.-]key):-?([^\s{}$\"'`]{4,256})\}", ("password:", "passwd:", "pwd:", "pass:", "secret:", "token:", "_key:", "-key:", ".key:"), _default, before=62),
    _rule("netrc-password", r"(?i)login[ \t\r\n]{1,8}(?!(?:and|or|using|with|in|from)\b)\S{1,128}[ \t\r\n]{1,8}password[ \t\r\n]{1,8}(\S{1,256})(?![^\S\r\n]{0,8}[\w(])", ("login",), _netrc),
    _rule("connection-string", r"(?i)(?:;|[\"'=]|(?<!-)>)[ \t]{0,4}(?:password|pwd)[ \t]{0,4}=[ \t]{0,4}([^;\"'\r\n<]{1,256})", ("password", "pwd"), _connection_password, before=5),
    _rule("config-password", r"(?i)(?:requirepass|masterauth|rootpw|bindpw|ldap_?bind_?password)[ \t]{1,8}[\"']?([^\s\"'#]{4,128})[\"']?[ \t]{0,8}(?:\r?\n|$)", ("requirepass ", "masterauth ", "rootpw ", "rootpw\t", "bindpw ", "bindpassword "), is_literal),
    _rule("config-password", r"(?i)env[ \t]{1,4}[a-z_]{0,40}(?:passw(?:or)?d|pwd|secret|token|_key)[ \t]{1,4}[\"']?([^\s\"'#$&|;]{4,256})[\"']?[ \t]{0,8}(?:\\?\r?\n|$)", ("env ",), is_literal),
    _rule("connection-string", r"(?i)jdbc:[^\s\"'<>]{1,200}[?&;](?:password|pwd)=([^\s&;,\"'`<>\\)]{3,128})", ("jdbc:",), _url_password),
    _rule("connection-string", r"(?i)(?:host|dbname|user|port|sslmode)=[^\s\"',]{1,128}[ \t]{1,4}(?:\w{1,20}=[^\s\"',]{1,128}[ \t]{1,4}){0,6}password=([^\s\"',)]{1,128})", ("host=", "dbname=", "user="), _password),
    _rule("command-password", r"(?:-u|--user|--proxy-user)[ =]{0,4}[\"']?[^\s:\"'/$]{1,64}:([^\s\"'$]{3,256})", ("-u ", "-u=", "--user ", "--user=", "--proxy-user"), _not_ids),
    _rule("command-password", r"(?i)(?<![\w-])--?(?!-?(?:client-)?(?:next|start|starting|continuation|page|request|idempotency|change)[_-]?token)(?:[a-z_-]{0,20}(?:password|passwd|token|api[_-]?key|secret|passphrase|access[_-]?key|secret[_-]?key)|pass|pwd)(?:[ =]{1,4})[\"']?((?:[A-Za-z]{4,64}(?=[\"']|[ \t]{0,4}(?:[\\\\\r\n|>;&-]|$))|(?![A-Za-z]{1,64}(?:[ \t]|$))[^\s\"'`,;)\]}|&<>]{4,256}))", ("password ", "passwd ", "token ", "api-key ", "apikey ", "secret ", "passphrase ", "-key ", "_key ", "tkey ", "skey ", "-pass ", "-pwd ", "--token=", "--secret=", "-token=", "-secret=", "password="), _argument, before=24),
    _rule("command-password", r"(?:mysql|mysqldump|mysqladmin|mariadb)[^\r\n|;&]{0,200}[ \t]-p[\"']?([^\s\"'`$&|;-][^\s\"'`&|;]{2,128})", ("mysql -", "mysql --", "mysqldump -", "mysqldump  -", "mysqladmin -", "mariadb -", "mysql <"), _password),
    _rule("command-password", r"(?:sshpass[ \t]{1,4}-p|redis-cli[^\r\n|;&]{0,100}[ \t]-a|-passin[ \t]{1,4}pass:|-passout[ \t]{1,4}pass:|-storepass|-keypass|-P)[ \t]{0,4}[\"']?([^\s\"'$-][^\s\"']{3,128})", ("sshpass", "redis-cli", "-passin", "-passout", "-storepass", "-keypass"), is_literal),
    _rule("command-password", r"[\"' ][\w.-]{1,32}:([^\s\"':]{4,128})[\"']?[ \t]{0,4}\|[ \t]{0,4}(?:sudo )?chpasswd", ("chpasswd",), is_literal, before=190),
    _rule("command-password", r"(?i)(?:ConvertTo-SecureString|net user \S{1,64})[ \t]{1,4}(?:-String[ \t]{1,4})?[\"']?([^\s\"'-][^\s\"']{3,128})", ("convertto-securestring", "net user "), is_literal),
    _rule("login-password", r"(?i)(?:(?:create|alter)\s{1,4}user|grant\s)[^;\r\n]{0,300}?identified (?:with \S{1,40} )?by (?:password )?" + STRING, ("create user", "alter user", "grant "), _password),
    _rule("login-password", r"(?i)(?:user|role)[ \t]{1,4}\S{1,64}[ \t]{1,4}(?:with[ \t]{1,4})?(?:(?:login|superuser|encrypted)[ \t]{1,4}){0,3}password[ \t]{1,4}" + STRING, ("user ", "role "), _password),
    _rule("login-password", r"(?i)(?:getconnection|dbi->connect)\(" + _NAMED_FIRST + _NAMED_FIRST + STRING, ("getconnection(", "dbi->connect("), _passed),
    _rule("login-password", r"(?i)(?:mysqli?(?:_connect)?|mysqli_real_connect|pymysql\.connect|MySQLdb\.connect|PDO|Sequelize)\(" + _NAMED_FIRST + _NAMED_FIRST + STRING, ("mysqli(", "mysql_connect(", "mysqli_connect(", "pymysql.connect(", "mysqldb.connect(", "pdo(", "sequelize("), _passed),
    _rule("login-password", r"(?i)(?:\.login|wifi\.begin|basic_?auth|passwordauthentication|usernamepasswordcredentials|usernamepassword(?:authentication)?token|username_pw_set|networkcredential|plain_?auth|\.authenticate|auth[ \t]?=[ \t]?|\.auth|basiccredentials)\(" + _FIRST + STRING, (".login(", "wifi.begin(", "basicauth(", "basic_auth(", "passwordauthentication(", "usernamepasswordcredentials(", "usernamepasswordtoken(", "usernamepasswordauthenticationtoken(", "username_pw_set(", "networkcredential(", "plainauth(", ".authenticate(", "auth=(", "auth = (", ".auth(", "basiccredentials("), is_literal),
    _rule("login-password", r"(?i)input (?:text|password)(?:[ \t]{2,20}|\t)\S{0,80}(?:passw|pwd)\S{0,40}(?:[ \t]{2,20}|\t)([^\s$&@%{][^\s]{2,127})", ("input text ", "input password ", "input text\t", "input password\t"), is_literal),
    _rule("config-password", r"(?i)set[ \t]{1,4}(?:\w{0,20}(?:password|passwd|pass|pwd)|pw)(?:_\w{1,20})?[ \t]{1,4}[\"']?([^\s\"'$\[\]{}=:]{3,128})[\"']?[ \t]{0,8}(?:\r?\n|$)", ("set pass", "set pw", "set user_pass", "set my_pass", "set mypass", "set enable_p", "set db_pass", "set root_pass"), is_told),
    _rule("assigned-secret", r"(?i)(?:mnemonic|(?:seed|recovery|secret)[_ ]?(?:phrase|words))\w{0,20}(?:[\"'`]?[ \t]{0,8}[:=(][ \t]{0,8}|[ \t])[\"'`]((?:[a-z]{3,8} ){11,23}[a-z]{3,8})[\"'`]", ("mnemonic", "seedphrase", "seed_phrase", "seed phrase", "recovery_phrase", "recoveryphrase", "secretphrase"), _phrase),
    _rule("command-password", r"--from-literal[ =][\"']?(?:[\w.-]{0,60}(?i:passw(?:or)?d|passwd|pwd|pass|secret|token|key|credential)[\w-]{0,20})=[\"']?([^\s\"'$`<>|;&]{3,256})", ("--from-literal",), _argument),
    _rule("config-password", r"(?i)ansible_(?:ssh_|become_|sudo_)?pass(?:word)?=([^\s\"']{3,256})", ("ansible_",), is_literal),
    _rule("connection-string", r"[\"'`=][\w.-]{1,64}:([^\s@:\"'`/]{1,128})@(?:tcp|unix|udp)\(", ("@tcp(", "@unix(", "@udp("), _url_password, before=194),
    _rule("command-password", r"(?i)CURLOPT_\w{0,20}(?:PASSWD|PASSWORD|PWD)[ \t]{0,4}(?:,|=>)[ \t]{0,4}[\"'](?:[^\"'\r\n:]{1,64}:)?([^\"'\r\n:]{1,128})[\"']", ("curlopt_",), is_literal),
    _rule("login-password", r"(?i)= ?password\(" + STRING + r"\)", ("= password(", "=password("), is_literal),
    _rule("login-password", r"(?i)(?:create_?(?:super)?user|authenticate|sign_?(?:in|up)|log_?in)\([ \t]{0,4}[\"'][^\"'\r\n]{1,100}[\"'],\s{0,8}" + STRING, _SIGN_INS, is_signed_in),
    _rule("login-password", r"(?i)(?:create_?(?:super)?user|authenticate|sign_?(?:in|up))\([ \t]{0,4}[\"'][^\"'\r\n]{1,100}[\"'],\s{0,8}[\"'][^\"'\r\n]{1,100}@[^\"'\r\n]{1,100}[\"'],\s{0,8}" + STRING, _SIGN_INS, is_literal),
    _rule("login-password", r"(?i)(?:\.(?:fill|type)\([ \t]{0,4}[\"'`][^,\r\n]{0,60}(?:passw|pwd)[^,\r\n]{0,30}[\"'`],|fill_in[ (][ \t]{0,4}[\"'][^\"'\r\n]{0,60}(?:passw|pwd)[^\"'\r\n]{0,30}[\"'],[ \t]{0,4}:?with(?::|[ \t]{0,4}=>))[ \t]{0,4}" + STRING, (".fill(", ".type(", "fill_in ", "fill_in("), is_literal),
    _rule("login-password", r"(?i)\.get\([^()\r\n]{0,80}(?:passw|pwd)[^()\r\n]{0,30}\)(?:\.\w{1,20}\([^()\r\n]{0,30}\)){0,2}\.type\([ \t]{0,4}" + STRING, (".type(",), is_literal, before=200),
    _rule("connection-string", r"(?i)\.open\([\"']mysql[\"'],[ \t]{0,4}[\"'`][\w.-]{1,64}:([^\s@:\"'`/]{1,128})@", ('.open("mysql', ".open('mysql"), _url_password),
    _rule("config-password", r"(?i) (?:password|secret) [057] (?=\S{0,40}\d)([^\s\"']{6,128})", (" password 7 ", " password 0 ", " secret 5 ", " secret 0 ", " password 5 "), _password),
    _rule("command-password", r"echo[ \t]{1,4}(?:-n[ \t]{1,4})?[\"']?([^\s\"'$|`]{4,128})[\"']?[ \t]{0,4}\|[ \t]{0,4}(?:sudo[ \t]{1,4}-S|(?:sudo[ \t]{1,4})?passwd[ \t]{1,4}--stdin|docker[ \t]{1,4}login)", ("sudo -s", "passwd --stdin", "docker login"), is_literal, before=160),
    _rule("command-password", r"(?:(?:docker|podman|az|oc|skopeo|helm registry) login\b[^\r\n|;&]{0,120}? -p|(?:un)?zip\b[^\r\n|;&]{0,60}? -P|mongo(?:sh|dump|restore|export|import)?\b[^\r\n|;&]{0,160}? -p|ldap(?:search|add|modify|passwd|whoami)\b[^\r\n|;&]{0,160}? -w|smbclient\b[^\r\n|;&]{0,100}? -U[ \t]{0,4}[\"']?[\w.\\-]{1,64}%)[ \t]{0,4}[\"']?([^\s\"'$`<({-][^\s\"'`]{3,128})", ("docker login", "podman login", "az login", "oc login", "skopeo login", "helm registry login", "zip -", "mongo -", "mongo --", "mongosh -", "mongodump -", "mongorestore -", "mongoexport -", "mongoimport -", "ldapsearch", "ldapadd", "ldapmodify", "ldappasswd", "ldapwhoami", "smbclient"), _argument),
    _rule("login-password", r"(?i)plain_?auth\([ \t]{0,4}[\"'][^\"'\r\n]{0,200}[\"'],\s{0,8}(?:[\"'][^\"'\r\n]{1,200}[\"']|[\w.]{1,60}),\s{0,8}" + STRING, ("plainauth(", "plain_auth("), is_literal),
    _rule("login-password", r"(?i)(?:passwordprotection\([ \t]{0,4}|\.(?:load|store|init|getkey|setkeyentry|loadkeymaterial)\([^\r\n]{0,120}?,[ \t]{0,4})" + STRING + r"\.toCharArray\(\)", ("passwordprotection(", ".load(", ".store(", ".init(", ".getkey(", ".setkeyentry(", ".loadkeymaterial("), is_literal),
    _rule("login-password", r"(?i)(?:password_?encoder(?:\(\))?\.encode|bcrypt\w{0,20}(?:\(\))?(?:\.|::)(?:encode|hash|hashsync|hashpw|make)|generate_password_hash|make_password|password_hash|hash::make)\([ \t]{0,4}b?" + STRING, ("encoder.encode(", "encoder().encode(", "bcrypt", "generate_password_hash(", "make_password(", "password_hash(", "hash::make("), is_literal, before=20),
    _rule("login-password", r"(?i)assert_?(?:equals?|same)[( ][ \t]{0,4}" + STRING + r",[ \t]{0,4}[\w.$>()-]{0,60}(?:password|passwd)(?:\(\))?[ \t]{0,4}(?:[,)]|\r?\n|$)", ("assertequal", "assert_equal", "assertsame"), _default),
    _rule("config-password", r"(?i)(?:password|passwd|pwd|secret|token|api_?key)[\"'][^<>]{0,80}>\s{0,40}<value>([^<>\r\n]{3,256})</value>", tuple(f"{name}{sign}" for name in ("password", "passwd", "pwd", "secret", "token", "apikey", "api_key") for sign in "\"'"), is_literal),
    _rule("command-password", r"mysqladmin\b[^\r\n|;&]{0,100}[ \t]password[ \t]{1,4}[\"']?([^\s\"'`$&|;<-][^\s\"'`&|;]{3,128})", ("mysqladmin -",), is_literal),
    _rule("command-password", r"htpasswd[ \t]{1,4}-(?=(?:\w{1,8}[ \t]{1,4}-){0,3}\w{0,8}b)(?:(?=\w{0,8}n)\w{1,8}|\w{1,8}(?:[ \t]{1,4}-\w{1,8}){0,3}[ \t]{1,4}[^\s-]\S{0,127})[ \t]{1,4}[^\s-]\S{0,63}[ \t]{1,4}[\"']?([^\s\"'`$&|;<>-][^\s\"'`&|;]{3,128})", ("htpasswd -",), is_literal),
    _rule("connection-string", r"(?i)(?:oracle(?:db)?\.connect\([ \t]{0,4}[\"']|sqlplus[ \t]{1,4}(?:-\w{1,8}[ \t]{1,4}){0,3}[\"']?)\w{1,64}/([^\s@\"'$/]{3,128})@", ("oracle.connect(", "oracledb.connect(", "sqlplus "), _url_password),
    _rule("login-password", r"(?i)user(?:name)?[ \t]?/[ \t]?password[\"'`)*]{0,3}[ \t]?[:=][ \t]{0,4}[\"'`]?[\w.@-]{2,64}[ \t]?/[ \t]?([^\s\"'`)/]{4,64})", ("/password", "/ password"), is_told, before=12),
    _rule("config-password", r"(?i)enable (?:secret|password) (?:level \d{1,2} )?(?:\d )?([^\s\"'`]{4,128})[ \t]{0,4}(?:\r?\n|$)", ("enable secret ", "enable password "), is_told),
    _rule("assigned-secret", r"(?i)(?:set_access_token|oauthhandler|setoauth(?:consumer|accesstoken)|new accesstoken|oauthconsumer|oauth1(?:session)?)\(" + _FIRST + STRING, ("set_access_token(", "oauthhandler(", "setoauthconsumer(", "setoauthaccesstoken(", "new accesstoken(", "oauthconsumer(", "oauth1(", "oauth1session("), _bearer),
    _rule("command-password", r"(?:ngrok (?:config add-)?authtoken|vault login)[ \t]{1,4}([A-Za-z0-9._-]{8,128})[ \t]{0,4}(?:\r?\n|$)", ("ngrok authtoken", "add-authtoken", "vault login"), _bearer, before=16),
    _rule("assigned-secret", r"(?i)(?:secretkeyspec|algorithm\.hmac\d{3}|signingkey|\.hmacshakeyfor)\([ \t]{0,4}" + STRING, ("secretkeyspec(", "algorithm.hmac", "signingkey(", ".hmacshakeyfor("), is_made_up),
    _rule("assigned-secret", r"(?i)(?:jwt\.(?:sign|verify|encode|decode)|createhmac|create(?:de)?cipher(?:iv)?|signwith)\([^\r\n]{0,200}?[\w)}\]\"'],[ \t]{0,4}" + STRING + r"(?=[ \t]{0,4}[,)])", ("jwt.sign(", "jwt.verify(", "jwt.encode(", "jwt.decode(", "createhmac(", "createcipher", "createdecipher", "signwith("), is_made_up),
    _rule("password-hash", r"\$(?:apr1|2[abxy]|1|5|6|y|7|gy|argon2(?:id|i|d)|P|H|pbkdf2(?:-sha\d{1,3})?|scrypt)\$[./A-Za-z0-9$,=+-]{20,300}", ("$apr1$", "$2a$", "$2b$", "$2x$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$7$", "$gy$", "$argon2", "$p$", "$h$", "$pbkdf2", "$scrypt$"), _hash, group=0),
    _rule("password-hash", r"\{S?SHA(?:256|512)?\}[A-Za-z0-9+/]{26,120}={0,2}", ("{sha", "{ssha"), _hash, group=0),
    _rule("password-hash", r"(?:pbkdf2_sha\d{1,3}|pbkdf2:sha\d{1,3}(?::\d{1,7})?|bcrypt_sha256|scrypt:\d{1,6}:\d:\d)\$[A-Za-z0-9+/=$._-]{30,300}", ("pbkdf2_sha", "pbkdf2:sha", "bcrypt_sha256$", "scrypt:"), _hash, group=0),
    _rule("private-key", _PUTTY, ("private-lines",), _password),
)  # fmt: skip
