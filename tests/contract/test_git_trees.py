"""Trees against real git: byte-exact both ways, blind to every in-tree setting, strict about what comes in."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.adapters.git_bundle import write_bundle
from bot.adapters.git_process import EMPTY_TREE, Git, GitFailed
from bot.adapters.git_trees import GitTrees
from bot.domain.errors import InternalError
from bot.domain.work import Change, GitMode, Patch
from bot.ports.trees import BundleRefused, Merged, Trees

Files = Mapping[str, bytes | tuple[GitMode, bytes]]
ODD = (
    "a b.txt",
    'q"uote.txt',
    "new\nline",
    "tab\there",
    "\udcff\udcfe.bin",
    "dir/é/ü.txt",
    "-dash",
    ":(glob)*",
    "back\\slash",
)


@pytest.fixture
def source(tmp_path: Path) -> Git:
    """Somebody else's repository, where trees of any kind are made."""
    return Git(tmp_path / "source.git")


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return GitTrees(tmp_path / "trees.git")


def make(git: Git, files: Files) -> str:
    lines = []
    for path, what in files.items():
        mode, data = what if isinstance(what, tuple) else ("100644", what)
        blob = (
            data.decode()
            if mode == "160000"
            else git.run("hash-object", "-w", "--stdin", stdin=data).stdout.decode().strip()
        )
        lines.append(f"{mode} {blob}\t".encode() + os.fsencode(path))
    index = {"GIT_INDEX_FILE": str(git.git_dir / f"index-{len(files)}-{os.urandom(4).hex()}")}
    git.run("update-index", "-z", "--index-info", stdin=b"\0".join([*lines, b""]), extra=index)
    return git.run("write-tree", "--missing-ok", extra=index).stdout.decode().strip()


def loaded(source: Git, trees: Trees, files: Files, tmp_path: Path) -> str:
    tree = make(source, files)
    bundle = tmp_path / f"{tree}.bundle"
    write_bundle(source, tree, bundle)
    trees.load(bundle, tree)
    return tree


def put(
    path: str, data: bytes, *, mode: GitMode = "100644", before: str | None = None, was: GitMode | None = None
) -> Change:
    return Change(path=path, mode=mode, content=base64.b64encode(data).decode(), before=before, before_mode=was)


def edited(trees: Trees, tree: str, files: Mapping[str, bytes | None]) -> Patch:
    entries = trees.entries(tree)
    changes = []
    for path, data in files.items():
        old = entries.get(path)
        content = None if data is None else base64.b64encode(data).decode()
        mode: GitMode = old.mode if old else "100644"
        changes.append(
            Change(
                path=path,
                mode=mode,
                content=content,
                before=old.blob if old else None,
                before_mode=old.mode if old else None,
            )
        )
    return Patch(base_tree=tree, changes=tuple(changes))


def test_load_list_read(source: Git, trees: Trees, tmp_path: Path) -> None:
    files: Files = {
        **{name: name.encode("utf-8", "surrogateescape") for name in ODD},
        "run.sh": ("100755", b"#!/bin/sh\n"),
        "link": ("120000", b"../../etc/passwd"),
        "sub": ("160000", b"1" * 40),
        "bin": bytes(range(256)),
        "empty": b"",
    }
    tree = loaded(source, trees, files, tmp_path)
    entries = trees.entries(tree)
    assert set(entries) == set(files)
    assert entries["run.sh"].mode == "100755"
    assert (entries["sub"].mode, entries["sub"].blob, entries["sub"].size) == ("160000", "1" * 40, 0)
    assert entries["bin"].size == 256
    for name in ODD:
        assert trees.read(tree, name) == os.fsencode(name)
    assert trees.read(tree, "link") == b"../../etc/passwd"
    for name in ("nothing", "", "dir", "dir/", "/bin", "../bin", "dir/../bin", "./bin", "sub", "a\0b", "x" * 200_000):
        assert trees.read(tree, name) is None


def test_unpack_is_byte_exact_and_follows_no_link(source: Git, trees: Trees, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    files: Files = {
        **dict.fromkeys(ODD, b"x\r\ny\n"),
        ".gitattributes": b"* text eol=crlf ident filter=evil export-ignore export-subst\n",
        "ident": b"$Id$\r\n$Format:%H$\n",
        "run": ("100755", b"r"),
        "link": ("120000", os.fsencode(outside)),
        "sub": ("160000", b"2" * 40),
        "bytes": bytes(range(256)) * 1000,
    }
    tree = loaded(source, trees, files, tmp_path)
    into = tmp_path / "work"
    into.mkdir()
    trees.unpack(tree, into)
    for path, what in files.items():
        mode, data = what if isinstance(what, tuple) else ("100644", what)
        target = into / path
        if mode == "120000":
            assert os.fsencode(target.readlink()) == data
        elif mode == "160000":
            assert list(target.iterdir()) == []
        else:
            assert target.read_bytes() == data
            assert target.stat().st_mode & 0o777 == (0o755 if mode == "100755" else 0o644)
    assert list(outside.iterdir()) == []
    with pytest.raises(InternalError, match="not empty"):
        trees.unpack(tree, into)


def test_apply_and_patch_are_each_others_inverse(source: Git, trees: Trees, tmp_path: Path) -> None:
    before: Files = {
        **dict.fromkeys(ODD, b"old\n"),
        "mode": b"m",
        "gone/a": b"1",
        "file": b"becomes a folder",
        "d/x": b"becomes a file",
        "l": b"becomes a link",
    }
    after: Files = {
        **dict.fromkeys(ODD, bytes(range(256))),
        "mode": ("100755", b"m"),
        "file/inside": b"2",
        "d": b"3",
        "l": ("120000", b"target"),
        "sub": ("160000", b"3" * 40),
    }
    base = loaded(source, trees, before, tmp_path)
    wanted = loaded(source, trees, after, tmp_path)
    patch = trees.patch(base, wanted)
    assert [change.path for change in patch.changes] == sorted(change.path for change in patch.changes)
    assert trees.apply(patch) == wanted
    fresh = GitTrees(tmp_path / "fresh.git")
    fresh.load(tmp_path / f"{base}.bundle", base)
    assert fresh.apply(patch) == wanted
    assert fresh.apply(patch) == wanted
    assert fresh.entries(wanted) == trees.entries(wanted)
    assert trees.apply(trees.patch(wanted, base)) == base
    assert trees.apply(Patch(base_tree=base)) == base


def test_deleting_everything_leaves_the_empty_tree(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"a": b"1", "d/b": b"2"}, tmp_path)
    assert trees.apply(edited(trees, base, {"a": None, "d/b": None})) == EMPTY_TREE


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        "a//b",
        "a/",
        "",
        "./a",
        ".git/config",
        "a/.GIT/hooks/x",
        ".g\u200cit/x",
        "GIT~1/x",
        ".git ./x",
        ".git::$INDEX/x",
        "a\0b",
    ],
)
def test_paths_that_git_must_never_see_are_refused(source: Git, trees: Trees, tmp_path: Path, path: str) -> None:
    base = loaded(source, trees, {"a": b"1"}, tmp_path)
    with pytest.raises(InternalError, match="refuses"):
        trees.apply(Patch(base_tree=base, changes=(put(path, b"x"),)))


def test_a_patch_that_does_not_fit_its_base_is_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"a": b"1", "d/e": b"1"}, tmp_path)
    good = trees.entries(base)["a"].blob
    for changes in (
        (put("a", b"2"),),
        (put("a", b"2", before="4" * 40),),
        (put("a", b"2", before=good, was="100755"),),
        (put("b", b"2", before=good),),
        (put("a", b"1", before=good),),
        (put("x", b"1"), put("x/y", b"2")),
        (put("x/y", b"2"), put("x", b"1")),
        (put("a/y", b"2"),),
        (put("d", b"2"),),
        (put("x", b"1"), put("x", b"2")),
        (Change(path="zz", mode="100644", content=None, before=good),),
    ):
        with pytest.raises(InternalError, match="does not fit"):
            trees.apply(Patch(base_tree=base, changes=changes))


def test_a_submodule_without_a_commit_is_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"a": b"1"}, tmp_path)
    with pytest.raises(InternalError, match="names no commit"):
        trees.apply(Patch(base_tree=base, changes=(put("s", b"x" * 40, mode="160000"),)))


def test_unknown_trees_are_key_errors(trees: Trees, source: Git, tmp_path: Path) -> None:
    known = loaded(source, trees, {"a": b"1"}, tmp_path)
    blob = trees.entries(known)["a"].blob
    for tree in ("5" * 40, "HEAD", "", "--help", blob, known + "^{tree}"):
        with pytest.raises(KeyError):
            trees.entries(tree)
        with pytest.raises(KeyError):
            trees.diff(known, tree)
        with pytest.raises(KeyError):
            trees.read(tree, "a")


BASE = b"".join(b"line %d\n" % n for n in range(40))


def line(number: int, text: bytes, data: bytes = BASE) -> bytes:
    return data.replace(b"line %d\n" % number, text + b"\n")


def test_merge(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"f": BASE, "g": b"g\n", "h": b"h\n"}, tmp_path)
    one = edited(trees, base, {"f": line(3, b"three")})
    two = edited(trees, base, {"f": line(30, b"thirty"), "new": b"n"})
    three = edited(trees, base, {"g": None})
    merged = trees.merge(base, [one, two, three, one])
    assert merged.conflicts == ()
    assert trees.read(merged.tree, "f") == line(30, b"thirty", line(3, b"three"))
    assert trees.read(merged.tree, "new") == b"n"
    assert trees.read(merged.tree, "g") is None
    assert trees.merge(base, [one, two, three]) == merged
    assert trees.merge(base, []) == Merged(base)
    assert trees.merge(base, [Patch(base_tree=base), one, Patch(base_tree=base)]).tree == trees.apply(one)


def test_conflicts_are_listed_and_left_out(source: Git, trees: Trees, tmp_path: Path) -> None:
    odd = 'q"uo\nte \udcff'
    base = loaded(source, trees, {odd: BASE, "g": b"g\n", "b": b"\0\1"}, tmp_path)
    one = edited(trees, base, {odd: line(3, b"mine"), "g": b"G\n", "b": b"\0\2", "same": b"1"})
    two = edited(trees, base, {odd: line(3, b"theirs"), "g": None, "b": b"\0\3", "same": b"2"})
    merged = trees.merge(base, [one, two])
    assert set(merged.conflicts) == {odd, "g", "b", "same"}
    assert merged.tree == trees.apply(one)


def test_a_file_moved_by_one_step_is_not_followed_by_the_other(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"old": BASE, "other": b"o"}, tmp_path)
    one = edited(trees, base, {"old": None, "new": BASE})
    two = edited(trees, base, {"old": line(3, b"three")})
    assert trees.merge(base, [one, two]).conflicts == ("old",)


def test_what_merges_without_lines(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"f": BASE, "l": ("120000", b"1"), "s": ("160000", b"1" * 40), "x": b"x"}, tmp_path)
    entry = trees.entries(base)

    def change(path: str, data: bytes, mode: GitMode) -> Patch:
        old = entry.get(path)
        made = put(path, data, mode=mode, before=old.blob if old else None, was=old.mode if old else None)
        return Patch(base_tree=base, changes=(made,))

    executable = change("f", BASE, "100755")
    edit = change("f", line(3, b"three"), "100644")
    for order in ([executable, edit], [edit, executable]):
        tree = trees.merge(base, order).tree
        assert trees.entries(tree)["f"].mode == "100755"
        assert trees.read(tree, "f") == line(3, b"three")
    for one, two in (
        (change("l", b"2", "120000"), change("l", b"3", "120000")),
        (change("s", b"2" * 40, "160000"), change("s", b"3" * 40, "160000")),
        (change("x", b"y", "100644"), change("x", b"x", "120000")),
        (change("x", b"x", "100755"), change("x", b"x", "120000")),
        (change("n", b"1", "100644"), change("n", b"2", "100644")),
        (change("n", b"1", "100644"), change("n/m", b"2", "100644")),
        (change("n/m/o", b"1", "100644"), change("n", b"2", "100644")),
    ):
        merged = trees.merge(base, [one, two])
        assert len(merged.conflicts) == 1
        assert merged.tree == trees.apply(one)
    stale = Patch(base_tree=base, changes=(put("x", b"2", before="8" * 40, was="100644"),))
    with pytest.raises(InternalError, match="different blobs"):
        trees.merge(base, [change("x", b"1", "100644"), stale])


def test_patches_from_another_base_are_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"f": BASE}, tmp_path)
    other = loaded(source, trees, {"f": b"x"}, tmp_path)
    with pytest.raises(InternalError, match="starts at"):
        trees.merge(base, [Patch(base_tree=other)])


HOSTILE = b"""* merge=evil diff=evil filter=evil ident text eol=crlf working-tree-encoding=UTF-16 export-subst -merge
*.py merge=union
f binary
"""


def test_in_tree_settings_change_nothing(
    source: Git, trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drivers, filters and configuration, in the tree, in the user's home and in the process's environment."""
    mark = tmp_path / "owned"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        f'[merge "evil"]\n driver = touch {mark}\n[diff "evil"]\n command = touch {mark}\n textconv = touch {mark}; cat\n'
        f'[filter "evil"]\n clean = touch {mark}; cat\n smudge = touch {mark}; cat\n[core]\n autocrlf = true\n attributesFile = {home}/attributes\n'
        f"[diff]\n external = touch {mark}\n renames = copies\n noprefix = true\n[alias]\n ls-tree = !touch {mark}\n"
    )
    (home / "attributes").write_bytes(HOSTILE)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", f"touch {mark}")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "diff.external")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch {mark}")
    monkeypatch.setenv("GIT_ATTR_SOURCE", "HEAD")
    monkeypatch.chdir(home)
    (home / ".gitattributes").write_bytes(HOSTILE)
    data = BASE + b"$Id$ \xff\r\n"
    base = loaded(
        source, trees, {".gitattributes": HOSTILE, "d/.gitattributes": HOSTILE, "f": data, "d/m.py": data}, tmp_path
    )
    one = edited(trees, base, {"f": line(3, b"three", data), "d/m.py": line(3, b"three", data)})
    two = edited(trees, base, {"f": line(30, b"thirty", data), "d/m.py": line(3, b"other", data)})
    merged = trees.merge(base, [one, two])
    assert merged.conflicts == ("d/m.py",)
    tree = trees.merge(base, [one, edited(trees, base, {"f": line(30, b"thirty", data)})]).tree
    assert trees.read(tree, "f") == line(30, b"thirty", line(3, b"three", data))
    (diff,) = trees.diff(trees.apply(one), tree)
    assert (diff.path, diff.binary, len(diff.hunks)) == ("f", False, 1)
    assert "diff --git a/f b/f" in trees.diff_text(base, tree)
    assert not mark.exists()


def test_diff(source: Git, trees: Trees, tmp_path: Path) -> None:
    before: Files = {
        "f": BASE,
        "gone": b"1\n2\n",
        "bin": b"\0",
        "mode": b"m\n",
        "typed": b"one\ntwo\n",
        "sub": ("160000", b"1" * 40),
        "a.b": b"",
        "noeol": b"x",
    }
    after: Files = {
        "f": line(5, b"-- a/f\n@@ -1 +1 @@\ndiff --git a/x b/x", BASE).replace(b"line 20\n", b""),
        "new\n@@ -1 +1 @@": b"1\n2\n3\n",
        "bin": b"\0\1",
        "mode": ("100755", b"m\n"),
        "typed": ("120000", b"target"),
        "sub": ("160000", b"2" * 40),
        "a.b": b"",
        "a/z": b"diff --git a/x b/x\n",
        "noeol": b"y",
    }
    base = loaded(source, trees, before, tmp_path)
    tree = loaded(source, trees, after, tmp_path)
    found = {one.path: one for one in trees.diff(base, tree)}
    assert list(found) == sorted(found)
    assert {path: one.kind for path, one in found.items()} == {
        "f": "modified",
        "gone": "deleted",
        "new\n@@ -1 +1 @@": "added",
        "bin": "modified",
        "mode": "modified",
        "typed": "modified",
        "sub": "modified",
        "a/z": "added",
        "noeol": "modified",
    }
    assert [hunk.model_dump() for hunk in found["f"].hunks] == [
        {"base_start": 6, "base_count": 1, "head_start": 6, "head_count": 3},
        {"base_start": 21, "base_count": 1, "head_start": 22, "head_count": 0},
    ]
    assert [(h.base_count, h.head_count) for h in found["gone"].hunks] == [(2, 0)]
    assert [(h.head_start, h.head_count) for h in found["new\n@@ -1 +1 @@"].hunks] == [(1, 3)]
    assert found["bin"].binary
    assert found["bin"].hunks == ()
    assert found["sub"].binary
    assert (found["mode"].old_mode, found["mode"].new_mode, found["mode"].hunks) == ("100644", "100755", ())
    assert (found["typed"].old_mode, found["typed"].new_mode) == ("100644", "120000")
    assert len(found["typed"].hunks) == 2
    assert trees.diff(base, base) == ()


def test_diff_text(source: Git, trees: Trees, tmp_path: Path) -> None:
    base = loaded(source, trees, {"f": BASE, "g*": b"\xff\n", "gg": b"1\n"}, tmp_path)
    tree = loaded(source, trees, {"f": line(5, b"five"), "g*": b"\xfe\n", "gg": b"2\n"}, tmp_path)
    assert "+five" in trees.diff_text(base, tree)
    assert " line 4\n" in trees.diff_text(base, tree, "f")
    assert "\n line 4\n" not in trees.diff_text(base, tree, "f", context=0)
    text = trees.diff_text(base, tree, "g*")
    assert "-\\xff\n+\\xfe\n" in text
    assert "gg" not in text
    assert trees.diff_text(base, tree, "../x") == ""


def bundle_of(
    source: Git,
    commit: str,
    path: Path,
    *,
    ref: str = "refs/heads/base",
    head: bytes = b"# v2 git bundle\n",
    extra: bytes = b"",
) -> Path:
    pack = source.run("pack-objects", "--revs", "--stdout", "--quiet", stdin=f"{commit}\n".encode()).stdout
    path.write_bytes(head + extra + f"{commit} {ref}\n\n".encode() + pack)
    return path


def test_bundles_are_the_same_commit_for_the_same_tree(source: Git, tmp_path: Path) -> None:
    tree = make(source, {"a": b"1"})
    assert write_bundle(source, tree, tmp_path / "1") == write_bundle(source, tree, tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    # Other people's git reads it too.
    subprocess.run(
        ["git", "bundle", "verify", str(tmp_path / "1")], cwd=source.git_dir, check=True, capture_output=True
    )


def test_bundles_that_are_not_ours_are_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    tree = make(source, {"a": b"1"})
    first = source.run("commit-tree", tree, "-m", "1").stdout.decode().strip()
    second = source.run("commit-tree", tree, "-m", "2", "-p", first).stdout.decode().strip()
    path = tmp_path / "b"
    cases = {
        "parents": bundle_of(source, second, path),
        "tree is": path,
        "not a bundle": path,
    }
    with pytest.raises(BundleRefused, match="parents"):
        trees.load(cases["parents"], tree)
    other = GitTrees(tmp_path / "other.git")
    with pytest.raises(BundleRefused, match="its tree is"):
        other.load(bundle_of(source, first, path), "6" * 40)
    for broken in (
        bundle_of(source, first, path, ref="refs/heads/main").read_bytes(),
        bundle_of(source, first, path, head=b"# v3 git bundle\n").read_bytes(),
        bundle_of(source, first, path, extra=f"-{first} x\n".encode()).read_bytes(),
        b"",
        b"\0" * 600,
    ):
        path.write_bytes(broken)
        with pytest.raises(BundleRefused, match="not a bundle"):
            GitTrees(tmp_path / "third.git").load(path, tree)


def test_damaged_and_hostile_objects_are_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    tree = make(source, {"a": os.urandom(5000)})
    path = tmp_path / "b"
    write_bundle(source, tree, path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BundleRefused, match="git refuses"):
        trees.load(path, tree)
    blob = (
        source.run("hash-object", "-w", "--stdin", stdin=b"[core]\n fsmonitor = touch /tmp/x\n").stdout.decode().strip()
    )
    for name in (".git", ".GIT", "..", "git~1", ".g\u200cit"):
        inner = f"100644 {name}\0".encode() + bytes.fromhex(blob)
        hostile = (
            source.run("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=inner).stdout.decode().strip()
        )
        write_bundle(source, hostile, path)
        with pytest.raises(BundleRefused, match="git refuses"):
            trees.load(path, hostile)
        with pytest.raises(KeyError):
            GitTrees(tmp_path / "fresh.git").entries(hostile)


def test_a_link_and_a_folder_of_one_name_are_refused(source: Git, trees: Trees, tmp_path: Path) -> None:
    link = source.run("hash-object", "-w", "--stdin", stdin=b"/tmp").stdout.decode().strip()
    inner = make(source, {"x": b"1"})
    both = b"120000 a\0" + bytes.fromhex(link) + b"40000 a\0" + bytes.fromhex(inner)
    hostile = (
        source.run("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=both).stdout.decode().strip()
    )
    write_bundle(source, hostile, tmp_path / "b")
    with pytest.raises(BundleRefused, match="git refuses"):
        trees.load(tmp_path / "b", hostile)


def test_trees_with_old_modes_keep_their_ids(source: Git, trees: Trees, tmp_path: Path) -> None:
    blob = source.run("hash-object", "-w", "--stdin", stdin=b"1").stdout.decode().strip()
    inner = b"100664 a\0" + bytes.fromhex(blob) + b"100644 b\0" + bytes.fromhex(blob)
    tree = source.run("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=inner).stdout.decode().strip()
    write_bundle(source, tree, tmp_path / "b")
    trees.load(tmp_path / "b", tree)
    assert trees.entries(tree)["a"].mode == "100644"
    changed = trees.apply(edited(trees, tree, {"b": b"2"}))
    assert [change.path for change in trees.patch(tree, changed).changes] == ["b"]


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    Git(tmp_path / "slow.git")
    with pytest.raises(GitFailed, match="did not end") as caught:
        Git(tmp_path / "slow.git", seconds=0.0001).run("gc")
    assert caught.value.fields["code"] == "timeout"
    with pytest.raises(GitFailed, match="ended with code"):
        Git(tmp_path / "slow.git").run("cat-file", "-p", "7" * 40)


def test_processes_that_start_together_find_one_repository(tmp_path: Path) -> None:
    place, start = tmp_path / "trees.git", threading.Barrier(8)

    def ask(_: int) -> bytes:
        start.wait()
        return Git(place).run("rev-parse", "--is-bare-repository").stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [b"true\n"] * 8
    assert list(tmp_path.iterdir()) == [place]


def test_a_repository_that_was_left_half_made_is_completed(tmp_path: Path) -> None:
    place = tmp_path / "trees.git"
    (place / "objects").mkdir(parents=True)
    assert Git(place).run("rev-parse", "--is-bare-repository").stdout == b"true\n"
    assert list(tmp_path.iterdir()) == [place]
