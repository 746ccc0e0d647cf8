"""Programs with a language or a service behind them: what they may be asked, and what would change something."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import names, spec
from workers.guard.tables import TOOLS
from workers.guard.words import Word

_OPENSSL: Final = spec(
    words="noout text subject issuer dates enddate startdate serial fingerprint pubkey email hash ocsp_uri sha1 sha224 sha256 sha384 "
    "sha512 md5 hex r modulus pubin check verify nextupdate lastupdate purpose issuer_hash subject_hash alias trustout ssl3 tls1 "
    "tls1_2 tls1_3 v V s stdname a verbose nameopt_all base64 help commands digest-commands cipher-commands public-key-algorithms "
    "cipher-algorithms digest-algorithms f p d e",
    word_valued="in inform nameopt certopt ext checkend CAfile CApath untrusted attime purpose_name passin",
)


def _openssl(call: Call) -> None:
    """Certificates, requests, lists and keys are shown, files are hashed; nothing is encrypted, sent or loaded."""
    args = [call.known(word, "argument") for word in call.args]
    command = args[0] if args else ""
    shows = names("version ciphers verify list dgst rand asn1parse errstr help md5 sha1 sha256 sha512")
    quiet = names("x509 req crl pkcs7 pkey rsa ec")
    if command not in shows | quiet or (command in quiet and "-noout" not in args):
        raise call.deny(
            "command",
            "Of openssl only version, ciphers, list, verify, dgst, rand, and x509, req, crl and keys with -noout are read.",
        )
    Call(call.program, call.args[1:], call.judge).parse(_OPENSSL)


_SQL_FLAGS: Final = spec(
    words="json csv table line column header noheader list html markdown box quote readonly bail batch help version safe",
    word_valued="separator nullvalue newline",
    longs="help version",
)


def _sqlite(call: Call) -> None:
    parsed = call.parse(_SQL_FLAGS)
    if parsed.has("help", "version"):
        return
    if len(parsed.operands) != 2:
        raise call.deny("interactive", "sqlite3 needs a database and one SELECT as its last argument.")
    sql = call.known(parsed.operands[1], "statement").strip().removesuffix(";")
    if re.fullmatch(r"\.(?:tables|schema|fullschema|indexes|indices|databases|dbinfo|show)(?: [A-Za-z0-9_%]+)?", sql):
        return
    risky = re.search(
        r"(?i)\b(?:load_extension|writefile|readfile|edit|fts3_tokenizer|zipfile|into|pragma|attach)\b", sql
    )
    if not re.match(r"(?i)(?:select|explain|values)\b", sql) or ";" in sql or risky:
        raise call.deny("statement", "sqlite3 may only run one SELECT without functions that write or load.")


_CLIENT: Final = spec(
    flags="AtxqXEnsGNBHVl?",
    valued="UdpPuDFR",
    longs="csv tuples-only no-align quiet no-psqlrc expanded table batch silent skip-column-names raw column-names vertical version help "
    "list no-password html xml no-auto-rehash compress ssl",
    long_valued="username dbname port user database field-separator default-character-set",
)
_ASKS: Final = re.compile(r"(?is)(?:select|show|explain|describe|desc|table|values)\b[^;]*")
_CHANGES: Final = re.compile(
    r"(?is)\b(?:into|outfile|dumpfile|load_file|lo_\w+|pg_(?:read|ls|terminate|cancel|reload|switch|rotate|create|drop|logical|start|stop|advisory|notify)\w*|"
    r"dblink\w*|copy|set_config|setval|nextval|query_to_xml\w*|xp_\w+|sys_\w+|sleep|benchmark|insert|update|delete|drop|alter|create|truncate|"
    r"grant|revoke|call|execute|do|merge|analyze|lock|for\s+update|handler|prepare|program)\b|\\"
)


def _client(call: Call) -> None:
    """Psql and mysql: one question to the local database. A backslash begins a command of the client's own."""
    texts: list[Word] = []
    rest: list[Word] = []
    words = list(call.args)
    while words:
        word = words.pop(0)
        if word.known and word.text in {"-c", "-e", "--command", "--execute"} and words:
            texts.append(words.pop(0))
        elif word.known and re.match(r"--(?:command|execute)=", word.text):
            texts.append(Word(word.text.partition("=")[2]))
        elif word.known and word.text in {"-h", "--host"} and words and words[0].text in {"localhost", "127.0.0.1"}:
            words.pop(0)
        else:
            rest.append(word)
    parsed = Call(call.program, rest, call.judge).parse(_CLIENT)
    places = [*parsed.operands, *parsed.values("d", "D", "dbname", "database")]
    if any("=" in place.text or ":" in place.text for place in places):
        raise call.deny("address", f"`{call.program}` may only ask the local database: give its name.")
    if not texts and parsed.has("l", "list", "version", "V", "help"):
        return
    if not texts:
        raise call.deny("interactive", f"`{call.program}` needs one statement that only asks, with -c or -e.")
    for text in texts:
        statement = call.known(text, "statement").strip().removesuffix(";")
        if (
            re.fullmatch(r"\\(?:d[tinsvufdpl]?|l|dn|dt|du|df|dv|conninfo)\+?(?: [A-Za-z0-9_.*]+)?", statement)
            and call.program == "psql"
        ):
            continue
        if not _ASKS.fullmatch(statement) or _CHANGES.search(statement):
            raise call.deny(
                "statement", f"`{call.program}` may only ask: one SELECT, SHOW or EXPLAIN without functions that write."
            )


_GH_API: Final = spec(
    flags="i",
    valued="qtHpXfF",
    longs="include paginate slurp silent verbose",
    long_valued="jq template header preview cache method field raw-field",
)


def _gh(call: Call) -> None:
    """The table of gh, and its `api` as far as it gets."""
    if not call.args or not call.args[0].known or call.args[0].text != "api":
        TOOLS["gh"](call)
        return
    parsed = Call("gh.api", call.args[1:], call.judge).parse(_GH_API)
    methods = {call.known(word, "method").upper() for word in parsed.values("X", "method")}
    fields = [call.known(word, "field") for word in parsed.values("f", "F", "field", "raw-field")]
    headers = [call.known(word, "header").lower() for word in parsed.values("H", "header")]
    # Names of files that could take the place of a `?` are paths like any other.
    path = parsed.operands[0].text if len(parsed.operands) == 1 else ""
    if not re.fullmatch(r"/?[A-Za-z0-9_{}/.:?&=%+,*~@-]+", path) or "//" in path:
        raise call.deny("api", "`gh api` needs one path of the API.")
    if not all(header.startswith(("accept:", "x-github-api-version:")) for header in headers) or any(
        "=@" in field for field in fields
    ):
        raise call.deny("api", "`gh api` may not send files or headers of its own.")
    if path == "graphql":
        asks = len(fields) == 1 and re.fullmatch(r"(?s)query=\s*(?:query\b|\{).*", fields[0])
        if not asks or re.search(r"\bmutation\b|\bsubscription\b", fields[0]) or methods:
            raise call.deny("api", "`gh api graphql` may only send one query.")
    elif not methods <= {"GET", "HEAD"} or (fields and not methods):
        raise call.deny("api", "`gh api` may only GET: with fields say so, with -X GET.")


_FZF: Final = spec(
    flags="eixmq10h",
    valued="nfdq",
    longs="exact ignore-case no-ignore-case smart-case literal scheme algo extended no-extended no-sort tail disabled tiebreak "
    "read0 print0 ansi sync multi cycle wrap no-multi-line raw track tac gap keep-right no-hscroll select-1 exit-0 expect "
    "print-query help version man nth with-nth accept-nth delimiter query filter header header-lines header-first footer "
    "no-color no-bold color height min-height layout reverse margin padding border style prompt pointer marker info history-size bash "
    "zsh fish tmux border-label border-label-pos highlight-line scroll-off hscroll-off header-border footer-border "
    "preview-window preview-border preview-label walker walker-root walker-skip no-tty-default",
    long_valued="preview bind",
)
# Actions that only move within the list; one with an argument may run a command.
_FZF_BIND: Final = re.compile(
    r"[^:,()]+:(?!execute|become|reload|transform|preview(?![a-z-])|change-preview\b)[a-z/+-]+"
)
_FZF_RUNS: Final = re.compile(
    r"[^:,()]+:(?:(?:reload(?:-sync)?|(?:change-)?preview|transform-[a-z-]+)"
    r"(?:\((.*)\)|:(.*))|(?:put|search|change-(?:query|prompt|header)|pos)\([^()]*\))",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\\.")
# What fzf puts quotes around; `r` among the letters would leave them out.
_FZF_FIELD: Final = re.compile(r"\{[+*sfn]*[0-9.,-]*\}|\{q(?::[0-9.,-]+)?\}")


def _fzf(call: Call) -> None:
    parsed = call.parse(_FZF)
    for preview in parsed.values("preview"):
        _fzf_script(call, call.known(preview, "preview"))
    for bind in parsed.values("bind"):
        text = call.known(bind, "binding")
        if all(_FZF_BIND.fullmatch(part) for part in text.split(",")):
            continue
        found = _FZF_RUNS.fullmatch(text)
        if not found:
            raise call.deny("bind", "fzf may only bind a key to plain actions, or to one command that reads.")
        if (script := found[1] or found[2]) is not None:
            _fzf_script(call, script)


def _fzf_script(call: Call, script: str) -> None:
    """A command that fzf starts: it puts the line, in quotes, in the place of the braces."""
    filled = _FZF_FIELD.sub('"$line"', script)
    if "{" in filled or any("{" in quoted for quoted in _QUOTED.findall(script)):
        raise call.deny("field", "fzf may fill in {} and the like here, plainly and outside of quotes.")
    call.judge.script(filled)


def _sysctl(call: Call) -> None:
    if any(not word.known or "=" in word.text for word in call.parse(spec(flags="aAneNdbX")).operands):
        raise call.deny("set", "sysctl may only read: leave out values.")


def _shopt(call: Call) -> None:
    names = {call.known(word, "option") for word in call.args}
    if not names <= {"-s", "-u", "-q", "globstar", "nullglob", "dotglob", "failglob"}:
        raise call.deny("option", "shopt may only switch globstar, nullglob, dotglob and failglob.")


def _names(call: Call) -> None:
    """Plain names are shown; with a value they would be set."""
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*|-p", call.known(word, "name")) for word in call.args):
        raise call.deny("set", f"`{call.program}` may only show names here.")


def _bare(call: Call) -> None:
    if call.args and not (call.program == "hash" and [word.text for word in call.args] == ["-r"]):
        raise call.deny("arguments", f"`{call.program}` may be called without arguments only.")


_MOST_HELP: Final = 3
_ABOUT: Final = names("-h --help -V --version -M --manual")
_HEAD: Final = spec(
    flags="IsSfLkv46#",
    valued="mwo",
    longs="head silent show-error fail location insecure verbose ipv4 ipv6 compressed http1.1 http2 tlsv1.2 tlsv1.3 "
    "progress-bar ssl-reqd no-progress-meter",
    long_valued="max-time connect-timeout write-out retry max-redirs output",
)
_SPIDER: Final = spec(
    flags="qvS46",
    valued="tTU",
    words="nv",
    longs="spider quiet verbose no-verbose server-response no-check-certificate inet4-only inet6-only",
    long_valued="tries timeout user-agent connect-timeout max-redirect",
)
_WRITTEN_OUT: Final = re.compile(r"(?:%\{[a-z_]+\}|\\[nt]|[A-Za-z0-9 :,.;_/=-])*")
# An address that is written out, without a name and password in it.
_PAGE: Final = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:[/?][A-Za-z0-9._~/?&=%+,:;-]*)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+/?"
)


def _head(call: Call) -> None:
    """Whether a page is there, like a name in the DNS: no body comes, no data go, no file is read or written."""
    texts = [word.text for word in call.args if word.known]
    if (
        0 < len(texts) == len(call.args) < _MOST_HELP
        and set(texts[:1]) <= _ABOUT
        and all(t.isalnum() for t in texts[1:2])
    ):
        return
    parsed = call.parse(_HEAD if call.program == "curl" else _SPIDER)
    if not parsed.has("I", "head", "spider"):
        raise call.deny(
            "body",
            f"`{call.program}` may not fetch or send anything here; read the files of the workspace instead.",
        )
    sinks = [call.known(word, "output") for word in parsed.values("o", "output")]
    formats = [call.known(word, "format") for word in parsed.values("w", "write-out")]
    pages = [call.known(word, "address") for word in parsed.operands]
    if not set(sinks) <= {"/dev/null"} or not all(map(_WRITTEN_OUT.fullmatch, formats)):
        raise call.deny("output", f"`{call.program}` may not write files: leave out the output, or give /dev/null.")
    if not pages or not all(map(_PAGE.fullmatch, pages)):
        raise call.deny("address", f"`{call.program}` needs addresses that are written out plainly.")


def _kill(call: Call) -> None:
    """Whether a process is there, by number or name; and how signals are called."""
    texts = [call.known(word, "argument") for word in call.args]
    by_name = call.program == "pkill"
    asked = r"-[fux]|[A-Za-z0-9_.][A-Za-z0-9_.-]*" if by_name else r"[0-9A-Z]+"
    if texts[:1] not in (["-0"], *([] if by_name else (["-l"], ["-L"]))) or not all(
        re.fullmatch(asked, text) for text in texts[1:]
    ):
        raise call.deny(
            "signal", f"`{call.program}` may only ask whether a process is there, with -0; kill also lists signals."
        )


def _pdftotext(call: Call) -> None:
    parsed = call.parse(
        spec(
            words="layout raw nopgbrk q htmlmeta bbox v h help fixed simple",
            word_valued="f l enc eol x y W H r",
            flags="qvh",
        )
    )
    if not parsed.has("v", "h", "help") and [word.text for word in parsed.operands[1:]] != ["-"]:
        raise call.deny("output", "pdftotext writes a file unless its last word is a dash: print the text instead.")


_DSCL_READS: Final = re.compile(r"-?(?:read(?:all)?|list|search|diff|readpli?)")


def _dscl(call: Call) -> None:
    """Directory Services: a place and one of the commands that read; without a command it is a shell of its own."""
    texts = [call.known(word, "argument") for word in call.args]
    while texts and texts[0] in {"-plist", "-raw", "-url", "-q"}:
        texts.pop(0)
    if (
        len(texts) < 2
        or not re.fullmatch(r"\.|localhost|/[A-Za-z0-9/_.-]+", texts[0])
        or not _DSCL_READS.fullmatch(texts[1])
    ):
        raise call.deny("command", "dscl may only read, list and search: give a place and that command.")


QUERIES: Final[dict[str, Rule]] = {
    "dscl": _dscl,
    "pdftotext": _pdftotext,
    "alias": _names,
    "hash": _bare,
    "fzf": _fzf,
    "gh": _gh,
    "openssl": _openssl,
    "shopt": _shopt,
    "sqlite3": _sqlite,
    "sysctl": _sysctl,
    "wait": _bare,
}

# For the profile that only reads; the one that builds may make databases and fetch archives as well.
CLIENTS: Final[dict[str, Rule]] = {
    "mysql": _client,
    "mariadb": _client,
    "psql": _client,
    "curl": _head,
    "wget": _head,
    "kill": _kill,
    "pkill": _kill,
}
