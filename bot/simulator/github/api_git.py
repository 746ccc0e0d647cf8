"""The API's git data: blobs, trees, commits and refs, over real objects."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Any, Final

from bot.simulator.github import effects, effects_pulls, render, render_git
from bot.simulator.github.answer import Answer, Call, Handlers, Refusal
from bot.simulator.github.git_objects import DIRECTORY, SUBMODULE, GitRepository, MissingObject, Person
from bot.simulator.github.resolve import EMPTY, commit_of

HANDLERS: Final = Handlers()
WORKFLOWS: Final = ".github/workflows"
# git check-ref-format(1).
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$")
_BAD_PARTS: Final = frozenset({"", ".", "..", ".git"})


def _git(call: Call) -> GitRepository:
    return call.repository.git


def _not_empty(call: Call) -> GitRepository:
    git = _git(call)
    if not git.refs("refs/heads/"):
        raise Refusal(409, EMPTY)
    return git


@HANDLERS("git/create-blob")
def create_blob(call: Call) -> Answer:
    content = call.body["content"]
    if call.body.get("encoding", "utf-8") == "base64":
        try:
            data = base64.b64decode("".join(content.split()), validate=True)
        except binascii.Error as error:
            raise Refusal(422, "Input is not valid base64") from error
    else:
        data = content.encode("utf-8", "replace")
    sha = _not_empty(call).write("blob", data)
    url = f"{render.repository_url(call.world, call.repository)}/git/blobs/{sha}"
    return Answer(201, {"sha": sha, "url": url}, {"Location": url})


@HANDLERS("git/get-blob")
def get_blob(call: Call) -> Answer:
    sha = call.parameters["file_sha"]
    data = _git(call).read(sha, "blob").data
    url = f"{render.repository_url(call.world, call.repository)}/git/blobs/{sha}"
    shown = {"sha": sha, "node_id": f"B_{sha}", "size": len(data), "url": url}
    return Answer(200, shown | render_git.encoded(data))


# Trees


@HANDLERS("git/create-tree")
def create_tree(call: Call) -> Answer:
    git = _not_empty(call)
    base = call.body.get("base_tree")
    if base is not None:
        try:
            # A commit's sha is taken too, as on GitHub.
            base = git.commit(base).tree if git.has(base, "commit") else base
            files = git.files(base)
        except MissingObject as error:
            raise Refusal(422, f"base_tree {base} is not a valid tree oid") from error
    else:
        files = {}
    for entry in call.body["tree"]:
        _put(git, files, entry)
    if not files:
        raise Refusal(422, "Invalid tree info")
    return Answer(201, _tree(call, git.write_tree(files), recursive=False))


def _put(git: GitRepository, files: dict[bytes, tuple[str, str]], entry: dict[str, Any]) -> None:
    """Applies one entry of a tree request to path -> (mode, sha)."""
    path = entry.get("path", "")
    if _BAD_PARTS & set(path.casefold().split("/")) or "\0" in path:
        raise Refusal(422, f"tree.path contains a malformed path component: {path}")
    name, mode = path.encode("utf-8", "surrogateescape"), entry.get("mode", "")
    below = [one for one in files if one.startswith(name + b"/")]
    if "content" in entry and entry.get("sha") is not None:
        raise Refusal(422, "Must supply either tree.sha or tree.content, not both")
    if "content" not in entry and entry.get("sha", "") is None:
        if name not in files and not below:
            raise Refusal(422, "GitRPC::BadObjectState")
        for one in [*below, name]:
            files.pop(one, None)
        return
    sha = git.write("blob", entry["content"].encode()) if "content" in entry else entry.get("sha", "")
    kind = {"040000": "tree", SUBMODULE: "commit"}.get(mode, "blob")
    if not mode or entry.get("type", kind) != kind:
        raise Refusal(422, f"tree.mode {mode} does not go with tree.type {entry.get('type')}")
    if kind != "commit" and not git.has(sha, kind):
        raise Refusal(422, f"tree.sha {sha} is not a valid {kind}")
    for one in below:
        del files[one]
    parts = name.split(b"/")
    for depth in range(1, len(parts)):
        files.pop(b"/".join(parts[:depth]), None)
    if kind == "tree":
        files.pop(name, None)
        files.update({name + b"/" + one: value for one, value in git.files(sha).items()})
    else:
        files[name] = (mode, sha)


@HANDLERS("git/get-tree")
def get_tree(call: Call) -> Answer:
    git, name = _not_empty(call), call.parameters["tree_sha"]
    sha = name if git.has(name, "tree") else git.commit(commit_of(call, name)).tree
    return Answer(200, _tree(call, sha, recursive="recursive" in call.query))


def _tree(call: Call, sha: str, *, recursive: bool) -> dict[str, Any]:
    git = call.repository.git
    listed = git.walk(sha) if recursive else ((one.name, one) for one in git.entries(sha))
    return {
        "sha": sha,
        "url": f"{render.repository_url(call.world, call.repository)}/git/trees/{sha}",
        "tree": [render_git.tree_entry(call.world, call.repository, path, one) for path, one in listed],
        "truncated": False,
    }


# Commits


@HANDLERS("git/create-commit")
def create_commit(call: Call) -> Answer:
    git, body = _not_empty(call), call.body
    if not git.has(body["tree"], "tree"):
        raise Refusal(422, "Tree SHA does not exist")
    for parent in body.get("parents", []):
        if not git.has(parent, "commit"):
            raise Refusal(422, "Parent SHA does not exist or is not a commit object")
    own = effects_pulls.person(call.scene)
    author = _person(body.get("author"), own)
    committer = _person(body.get("committer"), author if body.get("author") else own)
    sha = git.write_commit(body["tree"], body.get("parents", []), author, committer, body["message"])
    return Answer(201, render_git.git_commit(call.world, call.repository, git.commit(sha)))


def _person(given: dict[str, Any] | None, otherwise: Person) -> Person:
    if not given:
        return otherwise
    moment = given.get("date")
    at = int(datetime.fromisoformat(moment).timestamp()) if moment else otherwise.at
    return Person(given.get("name") or otherwise.name, given.get("email") or otherwise.email, at)


@HANDLERS("git/get-commit")
def get_commit(call: Call) -> Answer:
    found = _not_empty(call).commit(call.parameters["commit_sha"])
    return Answer(200, render_git.git_commit(call.world, call.repository, found))


# Refs


@HANDLERS("git/get-ref")
def get_ref(call: Call) -> Answer:
    name = f"refs/{call.parameters['ref']}"
    sha = _not_empty(call).ref(name)
    if sha is None:
        raise Refusal(404, "Not Found")
    return Answer(200, render_git.ref(call.world, call.repository, name, sha))


@HANDLERS("git/list-matching-refs")
def list_refs(call: Call) -> Answer:
    found = list(_git(call).refs(f"refs/{call.parameters['ref']}").items())
    return Answer(200, [render_git.ref(call.world, call.repository, name, sha) for name, sha in found])


@HANDLERS("git/create-ref")
def create_ref(call: Call) -> Answer:
    git, name, sha = _not_empty(call), call.body["ref"], call.body["sha"]
    if not name.startswith("refs/") or name.count("/") < 2:
        raise Refusal(422, "Reference name must start with 'refs/' and have at least two slashes.")
    if _BAD_REF.search(name):
        raise Refusal(422, f"{name} is not a valid ref name.")
    if git.ref(name) is not None:
        raise Refusal(422, "Reference already exists")
    if git.ref_clashes(name):
        raise Refusal(422, "Reference update failed")
    _may_point(call, sha)
    effects.move_ref(call.scene, name, sha)
    return Answer(201, render_git.ref(call.world, call.repository, name, sha))


@HANDLERS("git/update-ref")
def update_ref(call: Call) -> Answer:
    git, name, sha = _not_empty(call), f"refs/{call.parameters['ref']}", call.body["sha"]
    before = git.ref(name)
    if before is None:
        raise Refusal(422, "Reference does not exist")
    _may_point(call, sha)
    if not call.body.get("force") and not git.is_ancestor(before, sha):
        raise Refusal(422, "Update is not a fast forward")
    effects.move_ref(call.scene, name, sha)
    return Answer(200, render_git.ref(call.world, call.repository, name, sha))


def _may_point(call: Call, sha: str) -> None:
    """A ref points to a commit, whose workflows an App without that permission may not have changed."""
    git = call.repository.git
    if not git.has(sha, "commit"):
        raise Refusal(422, "Object does not exist")
    if call.token is None or call.token.has("workflows", "write"):
        return
    known = {_workflows(git, head) for head in git.refs("refs/heads/").values()}
    if _workflows(git, sha) not in known:
        raise Refusal(
            403,
            f"refusing to allow a GitHub App to create or update workflow `{WORKFLOWS}` without `workflows` permission",
        )


def _workflows(git: GitRepository, commit: str) -> str | None:
    """The tree of the workflows in a commit."""
    entry = git.find(git.commit(commit).tree, WORKFLOWS)
    return entry.sha if entry is not None and entry.mode == DIRECTORY else None
