"""Real git objects for the simulated GitHub: a bare repository on disk whose shas are git's own, written without a subprocess each."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = "100644"
EXECUTABLE: Final = "100755"
LINK: Final = "120000"
DIRECTORY: Final = "40000"
SUBMODULE: Final = "160000"
BLOB_CACHE_BYTES: Final = 256 * 1024
_PACK_KINDS: Final = {"commit": 1, "tree": 2, "blob": 3}
_CONFIG: Final = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
[uploadpack]
\tallowFilter = true
\tallowTipSHA1InWant = true
\tallowReachableSHA1InWant = true
\tallowAnySHA1InWant = true
"""


class MissingObject(LookupError):
    """The repository has no such object, or it is of another kind."""


@dataclass(frozen=True, slots=True)
class GitObject:
    """One object: `blob`, `tree` or `commit`, and its bytes without header."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a tree. `mode` is git's, without leading zeros; `name` is one path component as bytes."""

    mode: str
    name: bytes
    sha: str

    @property
    def kind(self) -> str:
        """What the entry names: a `tree`, a `commit` (submodule) or a `blob`."""
        return {DIRECTORY: "tree", SUBMODULE: "commit"}.get(self.mode, "blob")


@dataclass(frozen=True, slots=True)
class Person:
    """Author or committer of a commit; `at` is seconds since the epoch, `zone` as git writes it."""

    name: str
    email: str
    at: int
    zone: str = "+0000"

    def line(self) -> str:
        """The person as a commit object spells one."""
        return f"{self.name} <{self.email}> {self.at} {self.zone}"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, read."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass
class _Folder:
    """A tree while it is built: files by name, folders by name."""

    files: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    folders: dict[bytes, _Folder] = field(default_factory=dict)


def environment(home: Path) -> dict[str, str]:
    """The environment of every git process here: no system or user configuration, nothing of the caller's."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def object_id(kind: str, data: bytes) -> str:
    """The sha that git gives to these bytes."""
    return hashlib.sha1(b"%s %d\0%s" % (kind.encode(), len(data), data), usedforsecurity=False).hexdigest()


class GitRepository:
    """A bare repository below `path`. Callers hold the simulator's lock; git's own processes read beside it."""

    def __init__(self, path: Path, default_branch: str) -> None:
        self.path = path
        self._cache: dict[str, GitObject] = {}
        self._reader: subprocess.Popen[bytes] | None = None
        self._reading = threading.Lock()
        for folder in ("objects/info", "objects/pack", "refs/heads"):
            (path / folder).mkdir(parents=True)
        (path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n", "ascii")
        (path / "config").write_text(_CONFIG, "ascii")

    def close(self) -> None:
        """Ends the reading process, if one was needed."""
        if self._reader is not None:
            for stream in (self._reader.stdin, self._reader.stdout):
                if stream is not None:
                    stream.close()
            self._reader.wait()
            self._reader = None

    # Objects

    def write(self, kind: str, data: bytes) -> str:
        """Stores one object as a loose file and returns its sha."""
        sha = object_id(kind, data)
        if sha in self._cache:
            return sha
        target = self.path / "objects" / sha[:2] / sha[2:]
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            # Renamed into place, as git reads the directory at the same time.
            draft = target.with_name(f"tmp_{sha}_{threading.get_ident()}")
            draft.write_bytes(zlib.compress(b"%s %d\0%s" % (kind.encode(), len(data), data), 1))
            draft.rename(target)
        self._remember(sha, GitObject(kind, data))
        return sha

    def write_many(self, objects: Iterable[GitObject]) -> None:
        """Stores many objects as one pack: a thousand loose files would take a second."""
        unique = {object_id(one.kind, one.data): one for one in objects}
        body = bytearray(b"PACK" + struct.pack(">II", 2, len(unique)))
        for one in unique.values():
            body += _pack_header(one) + zlib.compress(one.data, 1)
        body += hashlib.sha1(body, usedforsecurity=False).digest()
        self.run("index-pack", "--stdin", stdin=bytes(body))
        for sha, one in unique.items():
            self._remember(sha, one)

    def read(self, sha: str, kind: str | None = None) -> GitObject:
        """The object; raises MissingObject when it is not there or not a `kind`."""
        found = self._cache.get(sha) or self._load(sha)
        if found is None or (kind is not None and found.kind != kind):
            raise MissingObject(f"no {kind or 'object'} {sha}")
        return found

    def has(self, sha: str, kind: str) -> bool:
        """Whether the repository holds such an object."""
        try:
            self.read(sha, kind)
        except MissingObject:
            return False
        return True

    def _remember(self, sha: str, found: GitObject) -> None:
        if found.kind != "blob" or len(found.data) <= BLOB_CACHE_BYTES:
            self._cache[sha] = found

    def _load(self, sha: str) -> GitObject | None:
        if len(sha) != 40 or not set(sha) <= set("0123456789abcdef"):
            return None
        with self._reading:
            if self._reader is None:
                self._reader = subprocess.Popen(
                    ["git", "--git-dir", str(self.path), "cat-file", "--batch"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=environment(self.path),
                )
            assert self._reader.stdin is not None
            assert self._reader.stdout is not None
            self._reader.stdin.write(f"{sha}\n".encode())
            self._reader.stdin.flush()
            head = self._reader.stdout.readline().split()
            if len(head) != 3:
                return None
            data = self._reader.stdout.read(int(head[2]))
            self._reader.stdout.read(1)
        found = GitObject(head[1].decode(), data)
        self._remember(sha, found)
        return found

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Runs one git command on this repository; raises CalledProcessError when it fails."""
        done = subprocess.run(
            ["git", "--git-dir", str(self.path), *arguments],
            check=True,
            input=stdin,
            capture_output=True,
            env=environment(self.path),
        )
        return done.stdout

    # Trees

    def entries(self, tree: str) -> list[Entry]:
        """The entries of one tree, not of those below it."""
        data, found, at = self.read(tree, "tree").data, [], 0
        while at < len(data):
            space = data.index(b" ", at)
            end = data.index(b"\0", space)
            found.append(Entry(data[at:space].decode(), data[space + 1 : end], data[end + 1 : end + 21].hex()))
            at = end + 21
        return found

    def walk(self, tree: str, above: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
        """Every entry of a tree and of those below it, with its path; a tree comes before its entries."""
        for entry in self.entries(tree):
            path = above + entry.name
            yield path, entry
            if entry.mode == DIRECTORY:
                yield from self.walk(entry.sha, path + b"/")

    def files(self, tree: str) -> dict[bytes, tuple[str, str]]:
        """Path to (mode, sha) of everything that is not a folder."""
        return {path: (entry.mode, entry.sha) for path, entry in self.walk(tree) if entry.mode != DIRECTORY}

    def find(self, tree: str, path: str) -> Entry | None:
        """The entry at a path, None when there is none."""
        found: Entry | None = Entry(DIRECTORY, b"", tree)
        for part in path.encode("utf-8", "surrogateescape").split(b"/"):
            if part:
                if found is None or found.mode != DIRECTORY:
                    return None
                found = next((one for one in self.entries(found.sha) if one.name == part), None)
        return found

    def write_tree(self, files: dict[bytes, tuple[str, str]]) -> str:
        """Stores the trees that hold these files (path to (mode, sha)) and returns the top one's sha."""
        return self._write_folder(_folders(files))

    def _write_folder(self, folder: _Folder) -> str:
        entries = [Entry(mode, name, sha) for name, (mode, sha) in folder.files.items()]
        entries += [Entry(DIRECTORY, name, self._write_folder(one)) for name, one in folder.folders.items()]
        return self.write("tree", tree_data(entries))

    # Commits

    def write_commit(self, tree: str, parents: Iterable[str], author: Person, committer: Person, message: str) -> str:
        """Stores a commit; the message is kept byte for byte."""
        lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
        lines += [f"author {author.line()}", f"committer {committer.line()}", "", message]
        return self.write("commit", "\n".join(lines).encode("utf-8", "surrogateescape"))

    def commit(self, sha: str) -> Commit:
        """A commit, parsed. Headers that are not needed (gpgsig, encoding) are passed over."""
        text = self.read(sha, "commit").data.decode("utf-8", "replace")
        head, _, message = text.partition("\n\n")
        rows = [line.partition(" ") for line in head.split("\n") if not line.startswith(" ")]
        values = {key: value for key, _, value in rows}
        parents = tuple(value for key, _, value in rows if key == "parent")
        return Commit(sha, values["tree"], parents, _person(values["author"]), _person(values["committer"]), message)

    def history(self, sha: str) -> list[Commit]:
        """A commit and all its ancestors, newest first by date."""
        seen: dict[str, Commit] = {}
        todo = [sha]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen[one] = self.commit(one)
                todo += seen[one].parents
        order = list(seen.values())
        return sorted(order, key=lambda one: (-one.committer.at, order.index(one)))

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` is `old` or stands on it."""
        return any(one.sha == old for one in self.history(new))

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest common ancestor, None for unrelated histories."""
        known = {commit.sha for commit in self.history(one)}
        return next((commit.sha for commit in self.history(other) if commit.sha in known), None)

    # Refs

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Full name to sha of each ref below a prefix, sorted by name."""
        root = self.path / "refs"
        found = {
            f"refs/{path.relative_to(root).as_posix()}": path.read_text("ascii").strip()
            for path in root.rglob("*")
            if path.is_file()
        }
        return {name: found[name] for name in sorted(found) if name.startswith(prefix)}

    def ref(self, name: str) -> str | None:
        """The sha of a full ref name, None when there is none."""
        if ".." in name or "\0" in name or not name.startswith("refs/"):
            return None
        target = self.path / name
        return target.read_text("ascii").strip() if target.is_file() else None

    def set_ref(self, name: str, sha: str) -> None:
        """Moves or makes a ref, in one rename."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path / f"ref_{threading.get_ident()}"
        draft.write_text(f"{sha}\n", "ascii")
        draft.rename(target)

    def delete_ref(self, name: str) -> None:
        """Takes a ref away; one that is not there is no error."""
        (self.path / name).unlink(missing_ok=True)

    def ref_clashes(self, name: str) -> bool:
        """Whether a ref stands where this name needs a folder, or the other way round."""
        existing = self.refs()
        return any(one.startswith(f"{name}/") or name.startswith(f"{one}/") for one in existing)


def tree_data(entries: Iterable[Entry]) -> bytes:
    """A tree object's bytes, sorted as git sorts: folders as if their name ended in a slash."""
    order = sorted(entries, key=lambda one: one.name + (b"/" if one.mode == DIRECTORY else b""))
    return b"".join(b"%s %s\0%s" % (one.mode.encode(), one.name, bytes.fromhex(one.sha)) for one in order)


def _folders(files: dict[bytes, tuple[str, str]]) -> _Folder:
    top = _Folder()
    for path, entry in files.items():
        *above, name = path.split(b"/")
        folder = top
        for part in above:
            folder = folder.folders.setdefault(part, _Folder())
        folder.files[name] = entry
    return top


def _pack_header(one: GitObject) -> bytes:
    size = len(one.data)
    byte = (_PACK_KINDS[one.kind] << 4) | (size & 15)
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    out.append(byte)
    return bytes(out)


def _person(line: str) -> Person:
    name, _, rest = line.partition(" <")
    email, _, when = rest.rpartition("> ")
    at, _, zone = when.partition(" ")
    return Person(name, email, int(at), zone or "+0000")
