"""Trees, patches, merges and diffs in a bare repository of the control plane (DESIGN section 3, *Workspaces*)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from bot.adapters.git_bundle import read_bundle
from bot.adapters.git_merge import Merging, blob_id
from bot.adapters.git_process import Git
from bot.domain.errors import InternalError
from bot.domain.facts import BaseEntry
from bot.domain.paths import is_git_component
from bot.domain.work import Change, FileDiff, GitMode, Hunk, Patch
from bot.ports.trees import Merged

_DIFF: Final = ("-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--full-index", "--ignore-submodules=none")
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_TREE: Final = re.compile(r"[0-9a-f]{40}")
_NONE: Final = "0" * 40
_LONGEST_PATH: Final = 4096
_REMEMBERED: Final = 256
"""Files and patches that are remembered, files of at most so many bytes."""
_REMEMBERED_BYTES: Final = 1 << 16

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class _Raw:
    """One line of ``diff-tree --raw -z``."""

    path: str
    status: str
    old_mode: GitMode | None
    new_mode: GitMode | None
    old_blob: str | None
    new_blob: str | None


class _Remembered(dict[Asked, Answered]):
    """Answers that can never change, the newest ones; threads may share it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def __setitem__(self, asked: Asked, answer: Answered) -> None:
        with self._lock:
            super().__setitem__(asked, answer)
            if len(self) > 2 * _REMEMBERED:
                for old in list(self)[:_REMEMBERED]:
                    del self[old]


class GitTrees:
    """The ``Trees`` port. Rebuildable: deleting ``root`` costs loading snapshots again and nothing else.

    Threads may share one: every call is its own git process and no reference outlives it.
    """

    def __init__(self, root: Path) -> None:
        self._git = Git(root)
        # A tree that was seen stays: nothing is ever collected while a process runs.
        self._known: set[str] = set()
        # The same few questions come back at every look at a run, and each one costs processes.
        self._files: _Remembered[tuple[str, str], tuple[bytes | None]] = _Remembered()
        self._applied: _Remembered[str, str] = _Remembered()

    def load(self, bundle: Path, tree: str) -> None:
        """Take in a snapshot bundle and check that its tree is ``tree``. Idempotent. Raises ``BundleRefused``."""
        if not self._has(tree):
            read_bundle(self._git, bundle, tree)

    def entries(self, tree: str) -> dict[str, BaseEntry]:
        """Every file, link and submodule by path."""
        self._demand(tree)
        found = {}
        for mode, blob, size, path in self._list("-l", tree):
            found[path] = BaseEntry(mode=mode, blob=blob, size=size)
        return found

    def read(self, tree: str, path: str) -> bytes | None:
        """A blob's bytes (a link's target), or None when there is no such file."""
        self._demand(tree)
        if not _plain(path):
            return None
        found = self._files.get((tree, path))
        if found is not None:
            return found[0]
        data = self._read(tree, path)
        if data is None or len(data) <= _REMEMBERED_BYTES:
            self._files[tree, path] = (data,)
        return data

    def _read(self, tree: str, path: str) -> bytes | None:
        for mode, blob, _, name in self._list(tree, "--", os.fsencode(path)):
            if name == path and mode != "160000":
                return self._blobs([blob])[0]
        return None

    def unpack(self, tree: str, into: Path) -> None:
        """Write all files byte-exact into the empty directory ``into``. Raises ``InternalError`` when it is not empty."""
        self._demand(tree)
        if any(into.iterdir()):
            raise InternalError(
                f"The directory {into} to unpack into is not empty; give a new one.", {"path": str(into)}
            )
        files: list[tuple[GitMode, str, str]] = []
        for mode, blob, _, path in self._list(tree):
            if not _plain(path) or _reserved(path):
                raise InternalError(
                    f"The tree {tree} holds the path {path!r}, which git refuses.", {"path": ascii(path)}
                )
            if mode == "160000":
                (into / path).mkdir(parents=True, exist_ok=True)
            else:
                files.append((mode, blob, path))
        # Links last: until then no component of any path can be one.
        files.sort(key=lambda entry: entry[0] == "120000")
        folders = {into}

        def place(index: int, data: bytes) -> None:
            mode, _, path = files[index]
            target = into / path
            if target.parent not in folders:
                target.parent.mkdir(parents=True, exist_ok=True)
                folders.add(target.parent)
            _put(target, mode, data)

        self._git.blobs([blob for _, blob, _ in files], place)

    def apply(self, patch: Patch) -> str:
        """Store a patch's blobs and return the tree it leads to.

        Raises ``InternalError`` when the patch does not start at its base as it says, or when its paths cannot stand
        together in one tree.
        """
        self._demand(patch.base_tree)
        if not patch.changes:
            return patch.base_tree
        name = hashlib.sha256(json.dumps(patch.model_dump()).encode("ascii")).hexdigest()
        known = self._applied.get(name)
        if known is not None:
            return known
        tree = self._import(patch)
        self._compare(patch, tree)
        self._applied[name] = tree
        return tree

    def _import(self, patch: Patch) -> str:
        """One fast-import: blobs, deletions, then new entries; the branch it needs is gone before it ends."""
        branch = f"refs/import/{secrets.token_hex(8)}"
        stream = [f"commit {branch}\ncommitter c <c@localhost> 1 +0000\ndata 0\nM 040000 {patch.base_tree} \n".encode()]
        written = []
        for change in patch.changes:
            if not _plain(change.path) or _reserved(change.path):
                raise InternalError(
                    f"The patch holds the path {change.path!r}, which git refuses.", {"path": ascii(change.path)}
                )
            name = _quoted(change.path)
            if change.content is None:
                stream.append(b"D " + name + b"\n")
            elif change.mode == "160000":
                written.append(f"M 160000 {_submodule(change)} ".encode() + name + b"\n")
            else:
                data = base64.b64decode(change.content, validate=True)
                written.append(
                    f"M {change.mode} inline ".encode() + name + f"\ndata {len(data)}\n".encode() + data + b"\n"
                )
        stream += [*written, b'ls ""\n', f"reset {branch}\nfrom {_NONE}\n\ndone\n".encode()]
        said = self._git.run(
            "fast-import", "--quiet", "--done", stdin=b"".join(stream), settings=("fastimport.unpackLimit=1000",)
        )
        match = re.match(rb"040000 tree ([0-9a-f]{40})\t", said.stdout)
        # A tree that lost its last entry has no name of its own to list.
        return match.group(1).decode() if match else self._git.run("mktree", stdin=b"").stdout.decode().strip()

    def _compare(self, patch: Patch, tree: str) -> None:
        """Refuse unless base and ``tree`` differ in just what the patch says, before and after."""
        wanted = {_before_after(change) for change in patch.changes}
        found = {
            (raw.path, raw.old_blob, raw.old_mode, raw.new_blob, raw.new_mode)
            for raw in self._raw(patch.base_tree, tree)
        }
        if wanted != found:
            paths = sorted({ascii(entry[0]) for entry in wanted ^ found})
            raise InternalError(
                f"The patch does not fit its base {patch.base_tree} at {', '.join(paths[:5])}; make it again from that tree.",
                {"base_tree": patch.base_tree, "paths": " ".join(paths[:20])},
            )

    def merge(self, base_tree: str, patches: Sequence[Patch]) -> Merged:
        """Three-way merge in the order given. A patch that conflicts is left out of ``tree`` and its paths are listed."""
        for patch in patches:
            if patch.base_tree != base_tree:
                raise InternalError(
                    f"A patch to merge starts at {patch.base_tree} and not at {base_tree}; make it again from that tree.",
                    {"base_tree": base_tree},
                )
        self._demand(base_tree)
        merging = Merging(self._git)
        for patch in patches:
            merging.add(patch)
        changes = tuple(change for _, change in sorted(merging.changes.items()))
        return Merged(self.apply(Patch(base_tree=base_tree, changes=changes)), tuple(sorted(merging.conflicts)))

    def patch(self, base_tree: str, tree: str) -> Patch:
        """The difference as a patch, ordered by path."""
        raws = sorted(self._between(base_tree, tree), key=lambda raw: raw.path)
        contents = dict.fromkeys(raw.new_blob for raw in raws if raw.new_blob and raw.new_mode != "160000")
        blobs = dict(zip(contents, self._blobs(list(contents)), strict=True))
        return Patch(base_tree=base_tree, changes=tuple(_change(raw, blobs) for raw in raws))

    def diff(self, base_tree: str, tree: str) -> tuple[FileDiff, ...]:
        """Changed files with their hunks (zero context lines), ordered by path. Where a side has no lines, git's start is kept."""
        raws = self._between(base_tree, tree)
        text = self._git.run("diff-tree", "-p", "-U0", *_DIFF, base_tree, tree).stdout
        # Lines of content begin with a sign and names are quoted, so only headers of files can begin so.
        sections = iter(re.split(rb"^diff --git ", text, flags=re.MULTILINE)[1:])
        found = [_file_diff(raw, [next(sections) for _ in range(2 if raw.status == "T" else 1)]) for raw in raws]
        if next(sections, None) is not None:
            raise InternalError(
                f"git's two accounts of {base_tree}..{tree} differ; the store is damaged, delete it.", {}
            )
        return tuple(sorted(found, key=lambda one: one.path))

    def diff_text(self, base_tree: str, tree: str, path: str | None = None, *, context: int = 3) -> str:
        """Unified diff as text for readers; bytes that are not UTF-8 are shown escaped."""
        self._demand(base_tree)
        self._demand(tree)
        if path is not None and not _plain(path):
            return ""
        limit: tuple[str | bytes, ...] = () if path is None else ("--", os.fsencode(path))
        said = self._git.run("diff-tree", "-p", f"-U{int(context)}", *_DIFF, base_tree, tree, *limit)
        return said.stdout.decode("utf-8", "backslashreplace")

    def _has(self, tree: str) -> bool:
        if tree in self._known:
            return True
        if not _TREE.fullmatch(tree):
            return False
        found = self._git.run("cat-file", "-t", tree, codes=(0, 128)).stdout == b"tree\n"
        if found:
            self._known.add(tree)
        return found

    def _demand(self, tree: str) -> None:
        if not self._has(tree):
            raise KeyError(f"tree {tree!r} is not in this store; load its snapshot or apply its patch first")

    def _between(self, base_tree: str, tree: str) -> list[_Raw]:
        self._demand(base_tree)
        self._demand(tree)
        return list(self._raw(base_tree, tree))

    def _raw(self, base_tree: str, tree: str) -> Iterator[_Raw]:
        said = self._git.run("diff-tree", "--raw", "-z", *_DIFF, base_tree, tree).stdout
        fields = said.split(b"\0")
        for head, name in zip(fields[0::2], fields[1::2], strict=False):
            old_mode, new_mode, old, new, status = head.decode("ascii").removeprefix(":").split()
            yield _Raw(
                os.fsdecode(name),
                status,
                _mode(old_mode),
                _mode(new_mode),
                None if old == _NONE else old,
                None if new == _NONE else new,
            )

    def _list(self, *arguments: str | bytes) -> Iterator[tuple[GitMode, str, int, str]]:
        said = self._git.run("ls-tree", "-r", "-z", "--full-tree", *arguments).stdout
        for line in said.split(b"\0")[:-1]:
            head, _, name = line.partition(b"\t")
            mode, _, blob, *size = head.decode("ascii").split()
            kind = _mode(mode)
            if kind is not None:
                yield kind, blob, int(size[0]) if size and size[0] != "-" else 0, os.fsdecode(name)

    def _blobs(self, ids: Sequence[str]) -> list[bytes]:
        found: list[bytes] = []
        if ids:
            self._git.blobs(ids, lambda _, data: found.append(data))
        return found


def _put(target: Path, mode: GitMode, data: bytes) -> None:
    if mode == "120000":
        target.symlink_to(os.fsdecode(data))
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(target, flags, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o755 if mode == "100755" else 0o644)


def _mode(mode: str) -> GitMode | None:
    """Git's mode as we know it: trees of old repositories also write 100664."""
    match int(mode, 8) >> 12:
        case 0o10:
            return "100755" if int(mode, 8) & 0o100 else "100644"
        case 0o12:
            return "120000"
        case 0o16:
            return "160000"
        case _:
            return None


def _plain(path: str) -> bool:
    """Whether it is a path inside a tree: relative, no empty, ``.`` or ``..`` component, no NUL."""
    if not path or "\0" in path or len(path) > _LONGEST_PATH:
        return False
    return not any(part in {"", ".", ".."} for part in path.split("/"))


def _reserved(path: str) -> bool:
    """Whether some file system takes a component for ``.git``."""
    return any(is_git_component(part) for part in path.split("/"))


def _quoted(path: str) -> bytes:
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in os.fsencode(path))
    return f'"{escaped}"'.encode("ascii")


def _submodule(change: Change) -> str:
    """A submodule's commit, which stands in for its content."""
    commit = base64.b64decode(change.content or "", validate=True).decode("ascii")
    if not _TREE.fullmatch(commit):
        raise InternalError(f"The patch's submodule {change.path!r} names no commit.", {"path": ascii(change.path)})
    return commit


def _before_after(change: Change) -> tuple[str, str | None, GitMode | None, str | None, GitMode | None]:
    if change.content is None:
        return change.path, change.before, change.before_mode or change.mode, None, None
    data = base64.b64decode(change.content, validate=True)
    blob = _submodule(change) if change.mode == "160000" else blob_id(data)
    before_mode = (change.before_mode or change.mode) if change.before else None
    return change.path, change.before, before_mode, blob, change.mode


def _change(raw: _Raw, blobs: dict[str, bytes]) -> Change:
    content: str | None = None
    if raw.new_blob is not None:
        data = raw.new_blob.encode("ascii") if raw.new_mode == "160000" else blobs[raw.new_blob]
        content = base64.b64encode(data).decode("ascii")
    mode = raw.new_mode or raw.old_mode
    assert mode is not None
    return Change(path=raw.path, mode=mode, content=content, before=raw.old_blob, before_mode=raw.old_mode)


def _kind(raw: _Raw) -> Literal["added", "modified", "deleted"]:
    if raw.old_blob is None:
        return "added"
    return "deleted" if raw.new_blob is None else "modified"


def _file_diff(raw: _Raw, sections: list[bytes]) -> FileDiff:
    hunks: list[Hunk] = []
    binary = "160000" in {raw.old_mode, raw.new_mode}
    for section in sections:
        if not binary:
            for line in section.split(b"\n"):
                match = _HUNK.match(line)
                if match:
                    start, count, head, head_count = (int(part) if part else 1 for part in match.groups())
                    hunks.append(Hunk(base_start=start, base_count=count, head_start=head, head_count=head_count))
        binary = binary or re.search(rb"^Binary files .* differ$", section, re.MULTILINE) is not None
    return FileDiff(
        path=raw.path,
        kind=_kind(raw),
        old_mode=raw.old_mode,
        new_mode=raw.new_mode,
        old_blob=raw.old_blob,
        new_blob=raw.new_blob,
        binary=binary,
        hunks=() if binary else tuple(hunks),
    )
