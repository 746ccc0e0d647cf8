"""What people do on the simulated GitHub: label, comment, review, press, push, merge; each act is told to the App."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from bot.simulator.github import effects, effects_pulls, render
from bot.simulator.github.effects import Actor, Scene
from bot.simulator.github.effects_pulls import LineComment, ReviewState
from bot.simulator.github.git_import import FileSpec, stored_entry
from bot.simulator.github.model import (
    ACTIONS_APP,
    CheckRun,
    Comment,
    Issue,
    Level,
    Pull,
    Repository,
    node_id,
)
from bot.simulator.github.webhooks import Deliverer, Delivery, Signature
from bot.simulator.github.world import Event, World

Where = Literal["issue", "pull"]
REVIEW_STATES: Final[Mapping[str, ReviewState]] = {
    "approve": "APPROVED",
    "approved": "APPROVED",
    "request_changes": "CHANGES_REQUESTED",
    "changes_requested": "CHANGES_REQUESTED",
    "comment": "COMMENTED",
    "commented": "COMMENTED",
}


class NothingThere(LookupError):
    """A person's act names something that is not on the simulated GitHub; the sentence says what."""


class People:
    """Acts as people. `number` names another issue or pull request than the first issue and the newest pull request.

    Acts raise NothingThere when what they name is not there.
    """

    def __init__(self, world: World, deliverer: Deliverer) -> None:
        self._world = world
        self._deliverer = deliverer

    def _scene(self, login: str | None) -> Scene:
        """Who acts in the first repository; without a login its owner does."""
        within = self._within()
        return Scene(self._world, within, Actor(self._world.account(login) if login else within.owner))

    def _within(self) -> Repository:
        if not self._world.repositories:
            raise NothingThere("there is no repository: add one first")
        return self._world.only_repository()

    def _target(self, where: Where, number: int | None = None) -> Issue:
        """The issue or pull request that an act is about."""
        within = self._within()
        if number is not None:
            found = within.issues.get(number)
        elif where == "pull":
            found = self._pull()[0]
        else:
            found = next((one for one in within.issues.values() if one.pull is None), None)
        if found is None:
            raise NothingThere(f"there is no {where} {number or ''} to act on: open one first")
        return found

    def _pull(self, number: int | None = None) -> tuple[Issue, Pull]:
        """The pull request of this number; without one the newest open one, else the newest."""
        pulls = [one for one in self._within().pulls() if number in {None, one[0].number}]
        if not pulls:
            raise NothingThere(f"there is no pull request {number or ''} to act on")
        return next((one for one in reversed(pulls) if one[0].state == "open"), pulls[-1])

    def _comment(self, match: str) -> tuple[Issue, Comment]:
        """The newest comment that contains a text."""
        found = [
            (issue, one) for issue in self._within().issues.values() for one in issue.comments if match in one.body
        ]
        if not found:
            raise NothingThere(f"no comment contains {match!r}")
        return max(found, key=lambda pair: pair[1].id)

    # Issues

    def open_issue(self, number: int | None, title: str, body: str | None, author: str) -> None:
        """Opens an issue; without a number it gets the next one."""
        with self._world.lock:
            within = self._within()
            chosen = number if number is not None else within.next_number()
            effects.open_issue(self._scene(author), chosen, title, body)

    def label(self, name: str, by: str | None, where: Where = "issue", number: int | None = None) -> None:
        """Sets a label."""
        with self._world.lock:
            issue = self._target(where, number)
            effects.add_labels(self._scene(by), issue, [name])

    def unlabel(self, name: str, by: str | None, where: Where = "issue", number: int | None = None) -> None:
        """Takes a label off."""
        with self._world.lock:
            issue = self._target(where, number)
            label = self._within().label(name)
            if label is None or label not in issue.labels:
                raise NothingThere(f"issue {issue.number} has no label {name!r}")
            effects.remove_label(self._scene(by), issue, label)

    def edit_issue(self, title: str | None, body: str | None, by: str | None, number: int | None = None) -> None:
        """Changes the issue's title or body; None keeps it."""
        with self._world.lock:
            issue = self._target("issue", number)
            effects.edit_issue(self._scene(by), issue, title, body)

    def edit_pull(self, body: str | None, by: str | None, title: str | None = None, number: int | None = None) -> None:
        """Changes the pull request's body or title; None keeps it."""
        with self._world.lock:
            issue, _ = self._pull(number)
            effects.edit_issue(self._scene(by), issue, title, body)

    def close_item(self, what: Where, by: str | None, number: int | None = None) -> None:
        """Closes the issue, or the pull request unmerged."""
        with self._world.lock:
            issue = self._target(what, number)
            effects.set_state(self._scene(by), issue, "closed", "not_planned")

    def reopen_item(self, what: Where, by: str | None, number: int | None = None) -> None:
        """Opens it again."""
        with self._world.lock:
            effects.set_state(self._scene(by), self._target(what, number), "open")

    # Comments

    def comment(self, where: Where, body: str, by: str | None, number: int | None = None) -> int:
        """Comments and returns the comment's id."""
        with self._world.lock:
            issue = self._target(where, number)
            return effects.create_comment(self._scene(by), issue, body).id

    def edit_comment(self, match: str, body: str, by: str | None) -> None:
        """Replaces the body of the newest comment that contains `match`."""
        with self._world.lock:
            effects.edit_comment(self._scene(by), *self._comment(match), body)

    def delete_comment(self, match: str, by: str | None) -> None:
        """Deletes the newest comment that contains `match`."""
        with self._world.lock:
            effects.delete_comment(self._scene(by), *self._comment(match))

    # Pull requests

    def review(
        self,
        state: str,
        body: str,
        comments: Sequence[Mapping[str, Any]],
        by: str | None,
        number: int | None = None,
    ) -> None:
        """Submits a review; a comment has `path`, `line`, `body`, and if wanted `start_line` and `side`."""
        if state.lower() not in REVIEW_STATES:
            raise NothingThere(f"a review cannot be {state!r}: say one of {sorted(REVIEW_STATES)}")
        lines = [LineComment(**one) for one in comments]
        with self._world.lock:
            issue, pull = self._pull(number)
            effects_pulls.submit_review(
                self._scene(by), issue, pull, REVIEW_STATES[state.lower()], body=body, comments=lines
            )

    def set_draft(self, draft: bool, by: str | None, number: int | None = None) -> None:
        """Marks the pull request as draft or ready."""
        with self._world.lock:
            effects_pulls.set_draft(self._scene(by), *self._pull(number), draft)

    def merge(self, by: str | None, number: int | None = None) -> None:
        """Merges the pull request."""
        with self._world.lock:
            effects_pulls.merge(self._scene(by), *self._pull(number))

    def push(
        self,
        branch: str | None,
        files: Mapping[str, FileSpec | None],
        by: str | None,
        message: str = "Change files",
        force: bool = False,
    ) -> str:
        """Commits files (None deletes one) and returns the sha.

        ``branch`` None is the pull request's head; a new one is made from the default branch. With ``force`` the commit
        takes the place of the branch's last one.
        """
        with self._world.lock:
            scene = self._scene(by)
            within, git = scene.within, scene.within.git
            name = branch if branch is not None else self._pull()[1].head
            head = within.branch(name) or within.branch(within.default_branch)
            held = git.files(git.commit(head).tree) if head else {}
            for path, spec in files.items():
                if spec is None:
                    held.pop(os.fsencode(path), None)
                else:
                    held[os.fsencode(path)] = stored_entry(git, spec)
            parents = [] if head is None else list(git.commit(head).parents) if force else [head]
            person = effects_pulls.person(scene)
            sha = git.write_commit(git.write_tree(held), parents, person, person, f"{message}\n")
            effects.move_ref(scene, f"refs/heads/{name}", sha)
            return sha

    # Checks

    def press(self, button: str, by: str | None, check_run_id: int | None = None) -> None:
        """Presses a button by label or identifier on our App's newest check run that has it, or on the one named."""
        with self._world.lock:
            for run in sorted(self._within().checks.values(), key=lambda one: -one.id):
                if run.app is not self._world.app or check_run_id not in {None, run.id}:
                    continue
                for action in run.actions:
                    if button in {action["label"], action["identifier"]}:
                        effects_pulls.press(self._scene(by), run, action["identifier"])
                        return
            raise NothingThere(f"no check run of the App has a button {button!r}")

    def add_check_run(
        self,
        name: str,
        conclusion: str,
        log: str = "",
        head_sha: str | None = None,
        app: str = ACTIONS_APP,
        **fields: Any,
    ) -> int:
        """Another App's finished check on a commit, by default on the pull request's head; returns its id.

        `fields` are those of GitHub's create request (external_id, output, actions ...), to copy a check of ours.
        """
        with self._world.lock:
            within, other = self._within(), self._world.other_app(app)
            sha = head_sha or self._pull()[1].head_sha
            scene = Scene(self._world, within, Actor(self._world.account(f"{app}[bot]"), other))
            if conclusion == "failure" and "output" not in fields:
                fields["output"] = {"annotations": [_failed_step()]}
            created = {**fields, "status": "in_progress"}
            run: CheckRun = effects_pulls.create_check_run(scene, other, name, sha, created)
            run.log = log
            effects_pulls.update_check_run(scene, run, {"conclusion": conclusion})
            return run.id

    # Repository

    def set_permission(self, login: str, level: Level) -> None:
        """What somebody may do from now on; GitHub sends the App nothing about it."""
        with self._world.lock:
            self._world.account(login)
            self._within().levels[login] = level

    def protect(self, branch: str, checks: Sequence[str]) -> None:
        """Protects a branch with required checks."""
        with self._world.lock:
            self._within().required_checks[branch] = tuple(checks)

    # Deliveries

    def install(self, action: str = "created", by: str | None = None) -> None:
        """Tells the App of its installation, which is there from the start."""
        with self._world.lock:
            world, within = self._world, self._within()
            sender = world.account(by) if by else within.owner
            world.installation_at, world.is_suspended = world.clock(), action == "suspend"
            keys = ("id", "node_id", "name", "full_name", "private")
            shown = [render.repository(world, one) for one in world.repositories.values()]
            payload = {
                "action": action,
                "installation": render.installation(world),
                "repositories": [{key: one[key] for key in keys} for one in shown],
                "requester": None,
                "sender": render.account(world, sender),
            }
            world.emit(Event("installation", payload))

    def deliver(
        self,
        event: str,
        payload: Mapping[str, Any] | str | bytes,
        signature: Signature = "good",
        times: int = 1,
        guid: str | None = None,
    ) -> str:
        """Sends a delivery of anybody's making `times` times under one GUID, which is returned.

        What a mapping leaves out of `repository`, `installation`, `sender` and (of issue events) `issue` is filled in;
        text and bytes go as they are.
        """
        with self._world.lock:
            body = self._completed(event, payload) if isinstance(payload, Mapping) else payload
        raw = body.encode("utf-8", "replace") if isinstance(body, str) else body
        delivery = Delivery(guid or str(uuid.uuid4()), event, raw, signature)
        for _ in range(times):
            self._deliverer.queue(delivery)
        return delivery.guid

    def redeliver(self, guid: str) -> None:
        """Sends the delivery with this GUID again."""
        for attempt in self._deliverer.all():
            if attempt.guid == guid:
                self._deliverer.queue(replace(attempt.delivery, redelivery=True))
                return
        raise NothingThere(f"nothing was delivered with the GUID {guid}")

    def _completed(self, event: str, payload: Mapping[str, Any]) -> bytes:
        world, within = self._world, self._within()
        whole: dict[str, Any] = {
            "repository": render.repository(world, within),
            "installation": {"id": world.installation_id, "node_id": node_id("I", world.installation_id)},
            "sender": render.account(world, within.owner),
        }
        if event in {"issues", "issue_comment"} and "issue" not in payload and within.issues:
            whole["issue"] = render.issue(world, within, self._target("issue"))
        return json.dumps(whole | dict(payload)).encode()


def _failed_step() -> dict[str, Any]:
    """What GitHub Actions annotates when a step fails."""
    return {
        "path": ".github",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "message": "Process completed with exit code 1.",
    }
