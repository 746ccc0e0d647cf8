"""Programs that create, change or delete files: each path they write must lie in the workspace or in /tmp."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule
from workers.guard.options import Spec, spec
from workers.guard.words import Word

_ARCHIVE_OPTIONS: Final = spec(
    flags="tvzjJaOwkmhp",
    valued="fCTX",
    longs="list verbose gzip bzip2 xz zstd auto-compress wildcards no-wildcards anchored no-anchored exclude-vcs totals "
    "numeric-owner to-stdout full-time version help strip-components exclude keep-old-files no-same-owner",
    long_valued="file directory files-from exclude-from",
)
_ARCHIVE_WRITES: Final = spec(
    flags=_ARCHIVE_OPTIONS.flags + "xcru",
    valued=_ARCHIVE_OPTIONS.valued,
    longs=" ".join(_ARCHIVE_OPTIONS.longs) + " extract create append update get",
    long_valued=" ".join(_ARCHIVE_OPTIONS.long_valued),
)


def tar(call: Call) -> None:
    """List archives; pack and unpack only where the profile writes, and only inside."""
    args = list(call.args)
    if args and args[0].known and re.fullmatch(r"[A-Za-z]+", args[0].text):
        # The old form without a dash: values follow in the order of their letters.
        letters = args.pop(0).text
        plain = "".join(letter for letter in letters if letter not in _ARCHIVE_OPTIONS.valued)
        wanted = [letter for letter in letters if letter in _ARCHIVE_OPTIONS.valued]
        joined = [
            type(value)(f"-{letter}{value.text}", value.splits, value.glob)
            for letter, value in zip(wanted, args, strict=False)
        ]
        args = [type(w)(w.text) for w in (_dash(plain),) if plain] + joined + args[len(wanted) :]
    parsed = Call(call.program, args, call.judge).parse(_ARCHIVE_WRITES if call.writes else _ARCHIVE_OPTIONS)
    if parsed.has("version", "help"):
        return
    for name in parsed.values("f", "file"):
        if ":" in name.text:
            raise call.deny("remote", "tar may not open archives on other hosts: use a local file.")
    if parsed.has("t", "list") and not parsed.has("x", "c", "r", "u", "extract", "create", "append", "update", "get"):
        return
    if not call.writes:
        raise call.deny("mode", "tar may only list archives here: use tar -tf.")
    for target in parsed.values("C", "directory"):
        call.judge.write(target, "tar.outside")
    if not parsed.has("x", "extract", "get"):
        for target in parsed.values("f", "file"):
            if target.text != "-":
                call.judge.write(target, "tar.outside")


def _dash(letters: str) -> Word:
    return Word("-" + letters)


def _targets(allowed: Spec, *, first: int = 0, sink: bool = False) -> Rule:
    """All operands from ``first`` on are written."""

    def rule(call: Call) -> None:
        for target in call.parse(allowed).operands[first:]:
            call.judge.write(target, f"{call.program}.outside", sink=sink)

    return rule


_COPY: Final = spec(
    flags="aRrpfinuvdLPHT",
    valued="t",
    longs="archive recursive force interactive no-clobber update verbose dereference no-dereference preserve parents "
    "no-target-directory reflink",
    long_valued="target-directory",
)


def _remove(call: Call) -> None:
    for target in call.parse(spec(flags="rRfvdiIp", longs="recursive force verbose dir parents")).operands:
        call.judge.destroy(target, f"{call.program}.outside")


def _copy(call: Call) -> None:
    parsed = call.parse(_COPY)
    targets = parsed.values("t", "target-directory") or list(parsed.operands[-1:])
    sources = (
        list(parsed.operands) if len(targets) and parsed.has("t", "target-directory") else list(parsed.operands[:-1])
    )
    for target in targets:
        call.judge.write(target, f"{call.program}.outside")
    for source in sources:
        if source.text.startswith("/dev/"):
            raise call.deny("device", f"`{source.text}` would empty or fill the file: use touch or write_file.")
        if call.program == "mv":
            call.judge.destroy(source, "mv.outside")


def _link(call: Call) -> None:
    parsed = call.parse(spec(flags="sfnvrT", longs="symbolic force no-dereference relative verbose"))
    for path in parsed.operands:
        call.judge.write(path, "ln.outside")


# Recursive modes that shut the owner out, or let everybody write.
_BROAD: Final = re.compile(
    r"[2367]$|(?:^|,)(?:[go]*[ua][ugoa]*)?-[rwxX]*[rwX]|(?:^|,)(?:[ug]*[oa][ugoa]*|)[+=][rwxX]*w|=(?:,|$)"
)


def _chmod(call: Call) -> None:
    # A mode may begin with a dash, as in `chmod -x f`.
    args = [word for word in call.args if not (word.known and re.fullmatch(r"-[rwx]+", word.text))]
    parsed = Call(call.program, args, call.judge).parse(spec(flags="Rvcf", longs="recursive verbose changes quiet"))
    operands = list(parsed.operands)
    deep = parsed.has("R", "recursive")
    mode = call.args[0].text if len(args) != len(call.args) else ""
    if len(args) == len(call.args) and operands:
        mode = call.known(operands.pop(0), "mode")
        if not re.fullmatch(r"0?[0-7]{3}|(?:[ugoa]*[-+=][rwxX]*)(?:,[ugoa]*[-+=][rwxX]*)*", mode):
            raise call.deny("mode", "chmod takes plain rwx modes only, no set-user-id bits.")
    if re.match(r"0?[0-3]", mode) or (deep and _BROAD.search(mode)):
        raise call.deny(
            "mode", f"`{mode}` takes files away from their owner or opens them all to everybody: use 644, 755 or +x."
        )
    for target in operands:
        if deep:
            call.judge.destroy(target, "chmod.outside")
        else:
            call.judge.write(target, "chmod.outside")


CHANGING: Final[dict[str, Rule]] = {
    "mkdir": _targets(spec(flags="pv", valued="m", longs="parents verbose", long_valued="mode")),
    "rmdir": _remove,
    "rm": _remove,
    "touch": _targets(spec(flags="acm", valued="dtr", longs="no-create", long_valued="date reference time")),
    "tee": _targets(spec(flags="ai", longs="append"), sink=True),
    "cp": _copy,
    "mv": _copy,
    "install": _copy,
    "ln": _link,
    "chmod": _chmod,
    "patch": _targets(
        spec(flags="NEsRf", valued="pi", longs="forward dry-run quiet reverse", long_valued="strip input")
    ),
    "split": _targets(spec(flags="d", valued="lbnaC", longs="numeric-suffixes"), first=1),
}
