"""GitHub's JSON for git objects, refs, contents, diffs and comparisons."""

from __future__ import annotations

import base64
import difflib
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from bot.simulator.github import render
from bot.simulator.github.git_objects import SUBMODULE, Commit, Entry, GitRepository, Person
from bot.simulator.github.model import Repository, node_id, stamp
from bot.simulator.github.world import World

PATCH_LINES: Final = 3_000
"""GitHub leaves `patch` out of big diffs too."""
UNSIGNED: Final = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
SIGNATURE: Final = "-----BEGIN PGP SIGNATURE-----\n\nsimulated\n-----END PGP SIGNATURE-----\n"


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs between two trees; `old` and `new` are (mode, sha) or None."""

    path: bytes
    old: tuple[str, str] | None
    new: tuple[str, str] | None

    @property
    def status(self) -> str:
        """GitHub's word. Renames are told as one file removed and one added."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "modified"


def changes(git: GitRepository, old: str | None, new: str) -> list[Change]:
    """What differs between two trees, by path; `old` None is the empty tree."""
    if old == new:
        return []
    before, after = git.files(old) if old else {}, git.files(new)
    return [
        Change(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def text(path: bytes) -> str:
    """A path as GitHub shows it: bytes that are not UTF-8 are replaced."""
    return path.decode("utf-8", "replace")


def _lines(git: GitRepository, side: tuple[str, str] | None) -> list[str] | None:
    """A side's lines with their ends; None for what has no lines (binary, submodule)."""
    if side is None:
        return []
    if side[0] == SUBMODULE:
        return None
    data = git.read(side[1], "blob").data
    return None if b"\0" in data[:8000] else data.decode("utf-8", "replace").splitlines(keepends=True)


def patch(git: GitRepository, change: Change) -> tuple[int, int, str | None]:
    """Lines added, lines deleted, and the hunks without file headers (None for binary or big files)."""
    old, new = _lines(git, change.old), _lines(git, change.new)
    if old is None or new is None:
        return 0, 0, None
    if len(old) + len(new) > PATCH_LINES and old and new:
        return len(new), len(old), None
    body = list(difflib.unified_diff(old, new))[2:]
    added = sum(1 for line in body if line.startswith("+"))
    deleted = sum(1 for line in body if line.startswith("-"))
    shown = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in body)
    return added, deleted, shown.rstrip("\n") if len(body) <= PATCH_LINES else None


def diff_entry(world: World, within: Repository, change: Change, head: str) -> dict[str, Any]:
    """One file of a pull request or comparison."""
    added, deleted, hunks = patch(within.git, change)
    path = quote(text(change.path))
    page = render.html_url(world, within)
    side = change.new or change.old
    assert side is not None
    found: dict[str, Any] = {
        "sha": side[1],
        "filename": text(change.path),
        "status": change.status,
        "additions": added,
        "deletions": deleted,
        "changes": added + deleted,
        "blob_url": f"{page}/blob/{head}/{path}",
        "raw_url": f"{page}/raw/{head}/{path}",
        "contents_url": f"{render.repository_url(world, within)}/contents/{path}?ref={head}",
    }
    return found if hunks is None else found | {"patch": hunks}


def _person(one: Person) -> dict[str, Any]:
    return {"name": one.name, "email": one.email, "date": stamp(one.at)}


def verification(world: World, one: Commit) -> dict[str, Any]:
    """GitHub signs what an App commits without naming author and committer."""
    if one.committer.name != world.bot.login:
        return dict(UNSIGNED)
    signed = {"verified": True, "reason": "valid", "signature": SIGNATURE, "verified_at": stamp(one.committer.at)}
    return signed | {"payload": f"tree {one.tree}\n"}


def git_commit(world: World, within: Repository, one: Commit) -> dict[str, Any]:
    """A commit of the Git data API."""
    url, page = render.repository_url(world, within), render.html_url(world, within)
    return {
        "sha": one.sha,
        "node_id": node_id("C", int(one.sha[:8], 16)),
        "url": f"{url}/git/commits/{one.sha}",
        "html_url": f"{page}/commit/{one.sha}",
        "author": _person(one.author),
        "committer": _person(one.committer),
        "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
        "message": one.message,
        "parents": [
            {"sha": each, "url": f"{url}/git/commits/{each}", "html_url": f"{page}/commit/{each}"}
            for each in one.parents
        ],
        "verification": verification(world, one),
    }


def commit(world: World, within: Repository, one: Commit) -> dict[str, Any]:
    """A commit of the commits API, without files."""
    url, page = render.repository_url(world, within), render.html_url(world, within)
    data = git_commit(world, within, one)
    author = world.accounts.get(one.author.name.casefold())
    committer = world.accounts.get(one.committer.name.casefold())
    return {
        "sha": one.sha,
        "node_id": data["node_id"],
        "url": f"{url}/commits/{one.sha}",
        "html_url": data["html_url"],
        "comments_url": f"{url}/commits/{one.sha}/comments",
        "commit": {
            "url": data["url"],
            "author": data["author"],
            "committer": data["committer"],
            "message": one.message,
            "comment_count": 0,
            "tree": data["tree"],
            "verification": data["verification"],
        },
        "author": render.account(world, author) if author else None,
        "committer": render.account(world, committer) if committer else None,
        "parents": [
            {"sha": each, "url": f"{url}/commits/{each}", "html_url": f"{page}/commit/{each}"} for each in one.parents
        ],
    }


def push_commit(world: World, within: Repository, one: Commit) -> dict[str, Any]:
    """A commit as push and check suites show it."""
    base = within.git.commit(one.parents[0]).tree if one.parents else None
    found = changes(within.git, base, one.tree)
    return {
        "id": one.sha,
        "tree_id": one.tree,
        "distinct": True,
        "message": one.message,
        "timestamp": stamp(one.committer.at),
        "url": f"{render.html_url(world, within)}/commit/{one.sha}",
        "author": {"name": one.author.name, "email": one.author.email, "username": one.author.name},
        "committer": {"name": one.committer.name, "email": one.committer.email, "username": one.committer.name},
        "added": [text(each.path) for each in found if each.status == "added"],
        "removed": [text(each.path) for each in found if each.status == "removed"],
        "modified": [text(each.path) for each in found if each.status == "modified"],
    }


def ref(world: World, within: Repository, name: str, sha: str) -> dict[str, Any]:
    """A ref by its full name."""
    url = render.repository_url(world, within)
    return {
        "ref": name,
        "node_id": node_id("REF", within.id),
        "url": f"{url}/git/{quote(name)}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/git/commits/{sha}"},
    }


def tree_entry(world: World, within: Repository, path: bytes, entry: Entry) -> dict[str, Any]:
    """One line of a tree answer."""
    url = f"{render.repository_url(world, within)}/git/{entry.kind}s/{entry.sha}"
    found: dict[str, Any] = {
        "path": text(path),
        "mode": entry.mode.rjust(6, "0"),
        "type": entry.kind,
        "sha": entry.sha,
    }
    if entry.kind == "blob":
        found["size"] = len(within.git.read(entry.sha, "blob").data)
    return found if entry.kind == "commit" else found | {"url": url}


def content(world: World, within: Repository, path: str, entry: Entry, at: str) -> dict[str, Any]:
    """One file, link, folder or submodule of the contents API, without its bytes."""
    url = f"{render.repository_url(world, within)}/contents/{quote(path, errors='replace')}?ref={at}"
    git_url = f"{render.repository_url(world, within)}/git/{entry.kind}s/{entry.sha}"
    page = f"{render.html_url(world, within)}/{entry.kind}/{at}/{quote(path, errors='replace')}"
    kind = {"40000": "dir", "120000": "symlink", SUBMODULE: "submodule"}.get(entry.mode, "file")
    size = len(within.git.read(entry.sha, "blob").data) if entry.kind == "blob" else 0
    return {
        "type": kind,
        "size": size,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": entry.sha,
        "url": url,
        "git_url": git_url,
        "html_url": page,
        "download_url": page.replace("/blob/", "/raw/") if entry.kind == "blob" else None,
        "_links": {"self": url, "git": git_url, "html": page},
    }


def encoded(data: bytes) -> dict[str, Any]:
    """Bytes as the API gives them: base64 in lines of 60."""
    whole = base64.b64encode(data).decode("ascii")
    lines = [whole[at : at + 60] for at in range(0, len(whole), 60)]
    return {"encoding": "base64", "content": "".join(f"{line}\n" for line in lines)}
