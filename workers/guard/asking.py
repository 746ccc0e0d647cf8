"""Programs with a language or a service behind them: what they may be asked, and what would change something."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import Spec, spec


def _openssl(call: Call) -> None:
    args = [call.known(word, "argument") for word in call.args]
    if args[:1] == ["version"]:
        return
    if args[:1] != ["x509"] or "-noout" not in args:
        raise call.deny("command", "Of openssl only `x509 -noout` is read.")
    Call(call.program, call.args[1:], call.judge).parse(
        spec(
            words="noout text subject issuer dates enddate startdate serial fingerprint pubkey email hash ocsp_uri sha256 sha1",
            word_valued="in inform nameopt certopt ext checkend",
        )
    )


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
    risky = re.search(
        r"(?i)\b(?:load_extension|writefile|readfile|edit|fts3_tokenizer|zipfile|into|pragma|attach)\b", sql
    )
    if not re.match(r"(?i)(?:select|explain|values)\b", sql) or ";" in sql or risky:
        raise call.deny("statement", "sqlite3 may only run one SELECT without functions that write or load.")


_FZF: Final = spec(
    flags="eixmq10h",
    valued="nfdq",
    longs="exact ignore-case no-ignore-case smart-case literal scheme algo extended no-extended no-sort tail disabled tiebreak "
    "read0 print0 ansi sync multi cycle wrap no-multi-line raw track tac gap keep-right no-hscroll select-1 exit-0 expect "
    "print-query help version man nth with-nth accept-nth delimiter query filter header header-lines header-first footer "
    "no-color no-bold color height min-height layout reverse margin padding border style prompt pointer marker info bash "
    "zsh fish tmux border-label border-label-pos highlight-line scroll-off hscroll-off header-border footer-border "
    "preview-window preview-border preview-label walker walker-root walker-skip no-tty-default",
    long_valued="preview bind",
)
# Actions that only move within the list; one with an argument may run a command.
_FZF_BIND: Final = re.compile(r"[^:,()]+:(?!execute|become|reload|transform|preview\b|change-preview\b)[a-z/+-]+")


def _fzf(call: Call) -> None:
    parsed = call.parse(_FZF)
    for preview in parsed.values("preview"):
        # fzf puts the line, in quotes, in the place of the braces.
        call.judge.script(re.sub(r"\{[^{}]*\}", '"$line"', call.known(preview, "preview")))
    for bind in parsed.values("bind"):
        if not all(_FZF_BIND.fullmatch(part) for part in call.known(bind, "binding").split(",")):
            raise call.deny("bind", "fzf may only bind keys to plain actions that run nothing.")


def _sysctl(call: Call) -> None:
    if any(not word.known or "=" in word.text for word in call.parse(spec(flags="aAneNdbX")).operands):
        raise call.deny("set", "sysctl may only read: leave out values.")


def _shopt(call: Call) -> None:
    names = {call.known(word, "option") for word in call.args}
    if not names <= {"-s", "-u", "-q", "globstar", "nullglob", "dotglob", "failglob"}:
        raise call.deny("option", "shopt may only switch globstar, nullglob, dotglob and failglob.")


def _bare(call: Call) -> None:
    if call.args:
        raise call.deny("arguments", f"`{call.program}` may be called without arguments only.")


def _asks(commands: str, allowed: Spec) -> Rule:
    """A package manager's questions: these first words, with these options."""

    def rule(call: Call) -> None:
        operands = call.parse(allowed).operands
        if not operands or call.known(operands[0], "command") not in commands.split():
            raise call.deny("command", f"Of `{call.program}` only {', '.join(commands.split())} may be asked here.")

    return rule


QUERIES: Final[dict[str, Rule]] = {
    "fzf": _fzf,
    "openssl": _openssl,
    "shopt": _shopt,
    "sqlite3": _sqlite,
    "sysctl": _sysctl,
    "wait": _bare,
}

_PIP: Final = _asks(
    "list show freeze check",
    spec(flags="lovf", longs="outdated uptodate local user format not-required files verbose all"),
)

# For the profile that only reads; the one that builds has its own rules for these.
ASKING: Final[dict[str, Rule]] = {
    "npm": _asks(
        "ls list ll la view show info outdated why explain",
        spec(flags="gla", longs="all json long parseable prod production dev depth omit include", long_valued="only"),
    ),
    "pip": _PIP,
    "pip3": _PIP,
}
