"""Programs that read: what both profiles may run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from workers.guard.asking import QUERIES
from workers.guard.call import Call, Rule, anything, only, without
from workers.guard.finding import find
from workers.guard.options import Spec, names, spec
from workers.guard.scripts import check_awk, check_sed
from workers.guard.words import ANYTHING, UNKNOWN, Word

_HARMLESS: Final = names("""
b2sum basename bc cal cat cksum clear cmp column comm cut diff dirname du df echo egrep expand expr factor false fgrep
fmt fold free grep groups head hexdump id join jq lsblk lscpu ls locale look md5 md5sum nl nproc numfmt od paste pgrep pr
printenv ps pstree pwd readlink realpath rev seq sha1sum sha224sum sha256sum sha384sum sha512sum shasum sleep stat strings
sum tac tail tr true tty type uname unexpand uptime users vmstat wc whereis which who whoami xzcat yes zcat zgrep bzcat
lsb_release getconf : exit return break continue shift
b3sum base32 basenc bzcmp bzdiff bzegrep bzfgrep bzgrep choose col colrm dir dircolors eu-readelf getfattr getopt help hexyl
hostid locate logname lzcat ncal pathchk pidof pinky plocate runlevel times uuidgen uuidparse vdir xxh128sum xxh32sum xxh64sum
xxhsum xzgrep zcmp zdiff zegrep zfgrep
""")

_SORT: Final = spec(
    flags="bdfghiMnRrVcCmsuz",
    valued="kStT",
    longs="ignore-leading-blanks dictionary-order ignore-case general-numeric-sort human-numeric-sort ignore-nonprinting "
    "month-sort numeric-sort random-sort reverse version-sort check merge stable unique zero-terminated debug help version",
    long_valued="key field-separator buffer-size temporary-directory parallel batch-size files0-from sort random-source",
)
_FD: Final = spec(
    flags="HIusiaglLpF0q1hV",
    valued="tdeESjco",
    longs="hidden no-ignore no-ignore-vcs no-ignore-parent unrestricted case-sensitive ignore-case glob regex "
    "fixed-strings absolute-path list-details follow full-path print0 prune quiet show-errors one-file-system help version "
    "no-follow strip-cwd-prefix color hyperlink",
    long_valued="type extension exclude max-depth min-depth exact-depth size changed-within changed-before newer older "
    "owner threads max-results path-separator search-path base-directory and format",
)
_YQ: Final = spec(
    flags="rneCMPNjcShV",
    valued="opI",
    longs="raw-output null-input exit-status colors no-colors prettyPrint no-doc tojson compact-output sort-keys "
    "unwrapScalar help version slurp",
    long_valued="output-format input-format indent arg argjson front-matter",
)
_TREE: Final = spec(
    flags="adflxipqNQugshDFvtcUrnACSJXH",
    valued="LPI",
    longs="noreport dirsfirst du si prune gitignore matchdirs ignore-case inodes device help version info filesfirst",
    long_valued="filelimit charset sort timefmt gitfile infofile fromfile",
)
_BAT: Final = spec(
    flags="pnAPfhVLus",
    valued="lrHm",
    longs="plain number show-all force-colorization help version list-languages list-themes color decorations no-paging "
    "wrap tabs unbuffered style chop-long-lines squeeze-blank diff-context strip-ansi",
    long_valued="language line-range highlight-line theme terminal-width file-name",
)
_GZIP: Final = spec(
    flags="cdlthVvqfNnrk123456789",
    longs="stdout to-stdout decompress uncompress list test help version verbose quiet force name no-name",
    valued="S",
    long_valued="suffix",
)
_RG: Final = without("--pre", "--hostname-bin", "-z", "--search-zip")
_AWK: Final = spec(valued="Fv", long_valued="field-separator assign", longs="posix re-interval version help", flags="V")
_SED: Final = spec(
    flags="nErsuz",
    valued="efl",
    longs="quiet silent regexp-extended separate unbuffered null-data zero-terminated posix debug sandbox help version",
    long_valued="expression file line-length",
)


# Deletes every line, or all that is in it.
_EMPTIES: Final = re.compile(r"(?:1,\s*\$|/\^?(?:\.\*?)?\$?/)?\s*d|s(.)\^?\.\*\$?\1\1g?")


def _sort(call: Call) -> None:
    allowed = _SORT
    if call.writes:
        allowed = Spec(_SORT.flags, _SORT.valued + "o", _SORT.longs, _SORT.long_valued | {"output"})
    for target in call.parse(allowed).values("o", "output"):
        call.judge.write(target, "sort.output")


def _sed(call: Call) -> None:
    args, in_place = [], False
    for word in call.args:
        if re.match(r"-[nErsuz]*i|--in-place", word.text) and word.known:
            in_place = True
        else:
            args.append(word)
    if in_place and not call.writes:
        raise call.deny("in-place", "sed may not change files here: let it print.")
    parsed = Call(call.program, args, call.judge).parse(_SED)
    if parsed.has("help", "version"):
        return
    scripts, files = parsed.values("e", "expression"), list(parsed.operands)
    if parsed.has("f", "file"):
        raise call.deny("script-file", "sed scripts in files are not read: give the script with -e.")
    if not scripts:
        if not files:
            raise call.deny("script", "sed has no script.")
        scripts = [files.pop(0)]
    check_sed("\n".join(call.known(script, "script") for script in scripts))
    if in_place:
        texts = [call.known(script, "script").strip() for script in scripts]
        quiet = parsed.has("n", "quiet", "silent") or any(re.match(r"-[Ersuz]*n", word.text) for word in call.args)
        if any(_EMPTIES.fullmatch(text) for text in texts) or (quiet and not any("p" in text for text in texts)):
            raise call.deny(
                "empties", "This sed script deletes every line: remove the file, or say which lines have to go."
            )
        for target in files:
            call.judge.write(target, "sed.in-place")


def _awk(call: Call) -> None:
    parsed = call.parse(Spec(_AWK.flags, _AWK.valued, _AWK.longs, _AWK.long_valued, permute=False))
    if parsed.has("version", "help", "V"):
        return
    if not parsed.operands:
        raise call.deny("script", "awk has no program.")
    check_awk(call.known(parsed.operands[0], "program"))


def _fd(call: Call) -> None:
    for place, word in enumerate(call.args):
        if word.known and word.text in {"-x", "--exec", "-X", "--exec-batch"}:
            Call(call.program, call.args[:place], call.judge).parse(_FD)
            inner = [w for w in call.args[place + 1 :] if w.text != ";"]
            call.judge.command(
                [Word(re.sub(r"\{[./]*\}", UNKNOWN, w.text)) if "{" in w.text else w for w in inner] + [ANYTHING]
            )
            return
    call.parse(_FD)


def _binutils(call: Call) -> None:
    if any(word.prefix.startswith("@") for word in call.args):
        raise call.deny("response-file", f"`{call.program}` would read options from a file: write them out.")
    without("--plugin")(call)


def _uniq(call: Call) -> None:
    parsed = call.parse(
        spec(
            flags="cdDiuz",
            valued="fsw",
            longs="count repeated all-repeated ignore-case unique zero-terminated group help version",
            long_valued="skip-fields skip-chars check-chars",
        )
    )
    if len(parsed.operands) > 1 or any(word.splits for word in parsed.operands):
        for target in parsed.operands[1:] or parsed.operands:
            if not call.writes:
                raise call.deny("output", "The second file of uniq is written: give it one file.")
            call.judge.write(target, "uniq.output")


def _xxd(call: Call) -> None:
    parsed = call.parse(
        spec(flags="abCeEipuvhr" if call.writes else "abCeEipuvh", valued="cglos", words="ps", longs="help version")
    )
    if parsed.has("v", "version"):
        return
    if len(parsed.operands) > 1 or any(word.splits for word in parsed.operands):
        if not call.writes:
            raise call.deny("output", "The second file of xxd is written: give it one file.")
        call.judge.write(parsed.operands[-1], "xxd.output")


def _date(call: Call) -> None:
    parsed = call.parse(
        spec(
            flags="uRI",
            valued="drf",
            longs="utc universal rfc-email iso-8601 rfc-3339 help version",
            long_valued="date reference file",
        )
    )
    if any(not word.prefix.startswith("+") for word in parsed.operands):
        raise call.deny("set", "date may not set the clock: its only argument here is a +FORMAT.")


def _no_operands(allowed: Spec) -> Rule:
    def rule(call: Call) -> None:
        if call.parse(allowed).operands:
            raise call.deny("operand", f"`{call.program}` with an argument changes the machine: call it without.")

    return rule


def _packed(unpack: bool) -> Rule:
    """The packers: only what goes to standard output, lists or tests."""

    def rule(call: Call) -> None:
        parsed = call.parse(_GZIP)
        if parsed.has("c", "stdout", "to-stdout", "l", "list", "t", "test", "help", "version", "h", "V"):
            return
        if not call.writes:
            how = "-c" if unpack else "-c, -l or -t"
            raise call.deny("in-place", f"`{call.program}` replaces its file: use {how}.")
        for target in parsed.operands:
            call.judge.destroy(target, f"{call.program}.in-place")

    return rule


def _printf(call: Call) -> None:
    if call.args and (call.args[0].may_be_option and call.args[0].text != "--") and len(call.args) > 1:
        raise call.deny(
            "variable", "printf may not set variables, nor take a format only known at run time: write the format out."
        )


def _read(call: Call) -> None:
    parsed = call.parse(spec(flags="rse", valued="dnNptu", words=""))
    for word in parsed.operands:
        call.judge.assign(call.known(word, "variable"))


def _set(call: Call) -> None:
    for word in call.args:
        if not re.fullmatch(
            r"[-+][abefhuxvECnmo]+|pipefail|errexit|nounset|xtrace|errtrace|noglob|verbose", call.known(word, "option")
        ):
            raise call.deny("option", "set may only switch -e, -u, -x, -o pipefail and the like.")


def _popd(call: Call) -> None:
    """Back to where one was, which was judged then."""
    if call.args:
        raise call.deny("argument", "popd is called without arguments here.")
    call.judge.enter(Word("."))


def _cd(call: Call) -> None:
    if any(not word.known for word in call.args):
        # Wherever that is, it may be outside.
        call.judge.enter(None)
        return
    operands = call.parse(spec(flags="LPe")).operands
    call.judge.enter(operands[0] if operands else None)


def _unzip(call: Call) -> None:
    parsed = call.parse(
        spec(flags="lvtZ1qazpc" + ("oxnj" if call.writes else ""), valued="d" if call.writes else "", longs="help")
    )
    for target in parsed.values("d"):
        call.judge.write(target, "unzip.outside")
    if not call.writes and not parsed.has("l", "v", "t", "Z", "p", "c"):
        raise call.deny("extract", "unzip writes files: list them with -l, or print one with -p.")


def _table() -> dict[str, Rule]:
    def rows(programs: str, rule: Rule) -> dict[str, Rule]:
        return dict.fromkeys(names(programs), rule)

    plain: Callable[[Call], None] = anything
    return {
        **dict.fromkeys(_HARMLESS, plain),
        **QUERIES,
        "sort": _sort,
        "sed": _sed,
        **rows("awk gawk mawk nawk", _awk),
        "find": find,
        **rows("fd fdfind", _fd),
        "rg": _RG,
        "uniq": _uniq,
        "xxd": _xxd,
        "tree": only(_TREE),
        "yq": only(_YQ),
        "date": _date,
        "hostname": _no_operands(spec(flags="fisdAI", longs="fqdn short")),
        "file": without("-C", "--compile"),
        **rows("llvm-nm llvm-objdump llvm-readelf llvm-readobj llvm-size", _binutils),
        "zstdcat": only(_GZIP),
        **rows("nm size readelf objdump addr2line c++filt", _binutils),
        **rows("gzip pigz bzip2 xz zstd lzma", _packed(unpack=False)),
        **rows("gunzip bunzip2 unxz unzstd", _packed(unpack=True)),
        "unzip": _unzip,
        "zipinfo": plain,
        "base64": only(
            spec(
                flags="dDeinuh",
                valued="w",
                longs="decode encode ignore-garbage noerrcheck help version copyright",
                long_valued="wrap",
            )
        ),
        "iconv": only(
            spec(flags="clsV", valued="ft", longs="list silent help version", long_valued="from-code to-code")
        ),
        "printf": _printf,
        "read": _read,
        "set": _set,
        "cd": _cd,
        "pushd": _cd,
        "popd": _popd,
        **rows("bat batcat", only(_BAT)),
        "shuf": only(
            spec(
                flags="erz",
                valued="in",
                longs="echo repeat zero-terminated help version",
                long_valued="head-count input-range",
            )
        ),
    }


READING: Final[dict[str, Rule]] = _table()
