"""What GitHub shows now of a repository's living runs: a few lists for all of them together, read by the `github` worker.

Nothing is decided here. `bot.services.reconciling` compares the answer with the records, under the run's lock.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import structlog

from bot.domain.commands import parse_commands
from bot.domain.outcome import Done, Outcome, Snooze
from bot.ports import records as r
from bot.ports.github import GitHubBusy, GitHubReader, GitHubRefused, Place, PullState, SaidComment
from bot.services.desk import Desk
from bot.services.looking import GONE, asked_of

log = structlog.get_logger()

AGAIN_MS: Final = 60_000
LAG_MS: Final = 300_000
"""How long a delivery may be on its way: what was said later than that ago is left to it."""
FAILED: Final = frozenset({"failure", "timed_out", "cancelled", "action_required"})


@dataclass(frozen=True, slots=True)
class Comparing:
    """The handler."""

    desk: Desk
    reader: GitHubReader

    def look(self, job: r.Job) -> Outcome:
        """One look at one repository; a GitHub that does not answer is asked again later, and that spends no attempt."""
        now = self.desk.clock.now()
        with self.desk.storage.read() as tx:
            repository = tx.places.repository(int(job.payload["repository_id"]))
        assert repository is not None, f"job {job.id} names a repository that no delivery told of"
        place = Place(job.installation_id, repository.id, repository.full_name)
        wanted = list(job.payload["runs"])
        try:
            since = int(job.payload["since"]) if job.payload["listens"] else None
            shown = _Look(self.reader, place, now, self.desk.app_id).of(wanted, since)
        except GitHubBusy as busy:
            return Snooze(now + AGAIN_MS, busy.sentence)
        except GitHubRefused as refused:
            # The App was taken off the repository, or it moved: there is nothing to compare with.
            log.warning("reconcile_refused", repository=place.full_name, reason=refused.sentence)
            return Done({"at": now, "runs": {}, "refused": refused.sentence})
        return Done({"at": now, "runs": shown})


@dataclass(slots=True)
class _Look:
    reader: GitHubReader
    place: Place
    now: int
    app_id: int

    def of(self, wanted: list[dict[str, Any]], since: int | None) -> dict[str, dict[str, Any]]:
        """By run: what stands on GitHub. Issues are read before pull requests, because a merge closes both."""
        alike = self._issues_as_we_know(wanted)
        pulls = self._pulls(wanted)
        said = {} if since is None else self._said(wanted, since)
        found = {}
        for one in wanted:
            shown: dict[str, Any] = {"issue": one["id"] in alike, "said": said.get(one["id"], [])}
            if one["pull"]:
                pull = pulls.get(int(one["pull"]))
                shown |= {"pull": pull is not None, "head": "" if pull is None else pull.head_sha}
            if one["comment"]:
                shown["status"] = self.reader.comment(self.place, int(one["comment"])) is not None
            if one["reviews_since"]:
                shown["reviews"] = self._reviews(one)
            if one["head"]:
                shown["checks"] = self._checks(one)
            if one["branch"]:
                shown |= {"ahead": self._ahead(one), "labels": self._labels(int(one["issue"]))}
            found[str(one["id"])] = shown
        return found

    def _issues_as_we_know(self, wanted: list[dict[str, Any]]) -> set[str]:
        """Runs whose issue is open and carries its start label; of the others the state is read once more, alone."""
        labels = sorted({str(one["label"]) for one in wanted if one["label"]})
        open_ = {label: self.reader.open_issues(self.place, label) for label in labels}
        found = set()
        for one in wanted:
            label, number = str(one["label"]), int(one["issue"])
            if number in open_[label] if label else self._is_open(number):
                found.add(str(one["id"]))
        return found

    def _is_open(self, number: int) -> bool:
        try:
            return self.reader.issue(self.place, number).state == "open"
        except GitHubRefused as refused:
            if refused.status not in GONE:
                raise
            return False

    def _pulls(self, wanted: list[dict[str, Any]]) -> dict[int, PullState]:
        numbers = frozenset(int(one["pull"]) for one in wanted if one["pull"])
        return dict(self.reader.open_pulls(self.place, numbers)) if numbers else {}

    def _said(self, wanted: list[dict[str, Any]], since: int) -> dict[str, list[dict[str, Any]]]:
        """Commands by people that the records do not know, old enough that no delivery of them is on its way."""
        places = {int(number): one for one in wanted for number in (one["issue"], one["pull"]) if number}
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for said in self.reader.comments_since(self.place, since):
            one = places.get(said.number)
            if one is None or not self._is_unheard(one, said):
                continue
            found[str(one["id"])].append(self._with_permission(said, is_pull=said.number != one["issue"]))
        return found

    def _is_unheard(self, one: dict[str, Any], said: SaidComment) -> bool:
        comment = said.comment
        return (
            # GitHub's times are whole seconds.
            int(one["heard_since"]) // 1000 * 1000 <= comment.created_at <= self.now - LAG_MS
            and comment.id not in one["heard"]
            and comment.author.is_person
            and comment.app_id is None
            # An edited comment orders nothing: its first words are gone, and edits are no commands.
            and comment.updated_at == comment.created_at
            and bool(parse_commands(comment.body))
        )

    def _with_permission(self, said: SaidComment, *, is_pull: bool) -> dict[str, Any]:
        author, comment = said.comment.author, said.comment
        return {
            "comment": comment.id,
            "number": said.number,
            "is_pull": is_pull,
            "by": [str(author.id), author.login, author.kind],
            "body": comment.body,
            "at": comment.created_at,
            "asked": asked_of(self.reader, self.place, author.login),
        }

    def _reviews(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        """Reviews by people since the run came into its state."""
        found = []
        for review in self.reader.reviews(self.place, int(one["pull"])):
            late = review.at >= int(one["reviews_since"]) and review.id not in one["reviewed"]
            if not late or review.at > self.now - LAG_MS or not review.author.is_person:
                continue
            level = self.reader.permission(self.place, review.author.login)
            if not level.can_write or level.user.id != review.author.id:
                continue
            by = [str(review.author.id), review.author.login, review.author.kind]
            said = {"id": review.id, "state": review.state, "body": review.body, "by": by}
            found.append({**said, "head": review.commit_sha})
        return found

    def _checks(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        """Other people's checks that failed on the run's head."""
        head = str(one["head"])
        return [
            {"id": int(run["id"]), "name": str(run["name"]), "conclusion": str(run["conclusion"]), "head": head}
            for run in self.reader.check_runs(self.place, head)
            if run.get("conclusion") in FAILED and (run.get("app") or {}).get("id") != self.app_id
        ]

    def _labels(self, number: int) -> list[str]:
        try:
            return list(self.reader.issue(self.place, number).labels)
        except GitHubRefused as refused:
            if refused.status not in GONE:
                raise
            return []

    def _ahead(self, one: dict[str, Any]) -> int:
        """For records from a backup: the number of a pull request from the run's branch that they do not know, or 0."""
        pull = self.reader.pull_of_branch(self.place, str(one["branch"]))
        return 0 if pull is None or pull.number == one["pull"] else pull.number
