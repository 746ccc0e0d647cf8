"""A run does not rest on any single delivery: now and then its records are compared with what GitHub shows.

One look for all runs of a repository, more seldom the longer nothing happened (`bot.services.comparing` reads). What a look
finds takes the way that the delivery would have taken: the same jobs, the same commands, under the same gates, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.domain import commands as c
from bot.domain.commands import Misread, parse_commands
from bot.domain.events import Actor, IssueFacts, Origin, RepositoryRef
from bot.domain.jobs import QUEUE_OF, JobKind
from bot.domain.workflow import IN_REVIEW
from bot.domain.writes import LabelRemove
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.backups import comes_from, is_restored, looked_at, restored_at
from bot.services.commanding import Commander
from bot.services.comparing import LAG_MS
from bot.services.desk import HOUR_MS, Desk, ask, is_over
from bot.services.hearing import ask_for_check, ask_for_review, ask_for_state, is_heard, own_heads, remember
from bot.services.recovering import WINDOW_MS
from bot.services.setting import Asked, Setting
from bot.wording import labels, replies

EVERY_MS: Final = 120_000
"""How soon a run is looked at again while things happen to it."""
SELDOM_MS: Final = HOUR_MS
QUIET: Final = 4
"""A run is looked at again after this part of the time that it was quiet."""
MOST_RUNS: Final = 50
AGAIN_MS: Final = 600_000
"""How long after a restore GitHub may need to deliver again what the backup lacks."""


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Asks for looks, and takes in what they found."""

    desk: Desk
    commander: Commander

    def due_at(self, tx: Transaction, run: r.Run, now: int) -> int:
        """When the run is to be looked at next: ``now`` for at once. Milliseconds since the epoch."""
        return self._due_at(run, restored_at(tx), now)

    def _due_at(self, run: r.Run, mark: int, now: int) -> int:
        asked = int(run.known.get("asked", {}).get("at", 0))
        if comes_from(run, mark) and looked_at(run) < mark:
            return asked + EVERY_MS if mark <= asked <= now else now
        # Times ahead of a clock that went back must not put looks off until it has caught up.
        last = max((at for at in (looked_at(run), asked, run.created_at) if at <= now), default=now)
        return last + _pause(run, last)

    def keep(self, tx: Transaction, run: r.Run) -> r.Run:
        """Ask for a look when one is due; runs of the repository that soon want one are looked at with it."""
        now = self.desk.clock.now()
        if is_over(run) or now < self.due_at(tx, run, now):
            return run
        if "heard_since" not in run.known:
            run = replace(run, known={**run.known, "heard_since": now})
        before = tx.jobs.by_key(str(run.known.get("asked", {}).get("key", "")))
        if before is not None and before.state in {"queued", "running"}:
            return replace(run, known={**run.known, "asked": {"key": before.key, "at": now}})
        job = ask(tx, self._look(tx, run, now))
        return replace(run, known={**run.known, "asked": {"key": job.key, "at": now}})

    def take(self, tx: Transaction, run_id: str) -> None:
        """Take in the newest look that has ended, under the run's lock."""
        run = tx.runs.get(run_id)
        if run is None or is_over(run) or self._ended(tx, run) is None:
            return
        run = tx.runs.lock(run_id)
        job = None if run is None or is_over(run) else self._ended(tx, run)
        if run is None or job is None:
            return
        found = job.result["runs"].get(run.id, {})
        # Where GitHub showed nothing, how far it is ahead of a restored run is as unknown as before.
        blind = job.result.get("refused") and is_restored(tx, run)
        at = looked_at(run) if blind else job.result["at"]
        known = {**run.known, "looked": {"at": at, "job": job.id}}
        if job.payload["listens"] and not job.result.get("refused"):
            known["heard_until"] = job.result["at"]
        run = replace(run, known=known)
        tx.runs.save(self._compared(tx, run, job, found))
        for said in found.get("said", []):
            self._hear(tx, run.id, said)
        self._reviewed(tx, run.id, found.get("reviews", []))

    def _ended(self, tx: Transaction, run: r.Run) -> r.Job | None:
        """The newest look at this run that it has not taken in: the one it asked for, or another run did a while ago."""
        now, known = self.desk.clock.now(), run.known
        keys = [str(known.get("asked", {}).get("key", "")), *(_key(run, now - ago) for ago in (0, EVERY_MS))]
        jobs = [tx.jobs.by_key(key) for key in dict.fromkeys(keys) if key]
        last = looked_at(run) if looked_at(run) <= now else 0
        fresh = [
            job
            for job in jobs
            if job is not None
            and job.state == "done"
            and run.id in job.payload["wakes"]
            and job.id != known.get("looked", {}).get("job")
            and int(job.result["at"]) >= last
        ]
        return max(fresh, key=lambda job: int(job.result["at"]), default=None)

    def _look(self, tx: Transaction, run: r.Run, now: int) -> r.Job:
        mark = restored_at(tx)
        others = (one for one in tx.runs.living_of_repository(run.repository_id) if one.id != run.id)
        due = [one for one in others if self._due_at(one, mark, now) - _pause(one, now) // 2 <= now]
        soon = [run, *due][:MOST_RUNS]
        since = min(int(one.known.get("heard_until") or one.known.get("heard_since", now)) for one in soon)
        kind = JobKind.RECONCILE
        payload = {
            "repository_id": run.repository_id,
            "since": since - 2 * LAG_MS,
            # Right after a restore what was said is on its way again: deliveries come first.
            "listens": not mark <= now < mark + AGAIN_MS,
            "wakes": [one.id for one in soon],
            "runs": [self._wanted(tx, one, now) for one in soon],
        }
        return r.Job(
            self.desk.chance.name(), _key(run, now), kind, QUEUE_OF[kind], now, run.installation_id, payload=payload
        )

    def _wanted(self, tx: Transaction, run: r.Run, now: int) -> dict[str, Any]:
        """What a look has to read for one run."""
        known, pull = run.known, int(run.known.get("pull", 0) or 0)
        reviews = pull and (run.state == IN_REVIEW or run.state.endswith(".approval"))
        # Until the snapshot is taken the label that started the run is not known.
        by_label = known.get("by_label", True) and run.snapshot_sha256
        return {
            "id": run.id,
            "issue": run.issue_number,
            "label": known.get("start_label", labels.START) if by_label else "",
            "pull": pull,
            "comment": _settled_comment(tx, run, now),
            "reviews_since": _shown_at(tx, run) // 1000 * 1000 if reviews else 0,
            "reviewed": known.get("reviewed", []),
            "head": known.get("head", "") if run.state == IN_REVIEW else "",
            "branch": run.branch if is_restored(tx, run) else "",
            "heard": known.get("heard", []),
            "heard_since": known.get("heard_since", now),
        }

    def _compared(self, tx: Transaction, run: r.Run, job: r.Job, found: dict[str, Any]) -> r.Run:
        """Differences are read once more, alone, as a delivery's news are; only then they count."""
        name = f"look:{job.id}"
        label = run.known.get("start_label", labels.START) if run.known.get("by_label", True) else ""
        if found.get("issue") is False:
            more = {"label": label} if run.snapshot_sha256 else {}
            # A merge that the records do not know of closes the issue, too.
            more |= {"pull": int(found["ahead"])} if found.get("ahead") else {}
            ask_for_state(self.desk, tx, run, f"{name}:issue", closed="issue", **more)
        if found.get("pull") is False:
            ask_for_state(self.desk, tx, run, f"{name}:pull", closed="pull")
        head = str(found.get("head", ""))
        if head and head not in own_heads(tx, run) and head not in run.known.get("strange", []):
            ask_for_state(self.desk, tx, run, f"{name}:head", restored=is_restored(tx, run))
        if found.get("ahead") and found["ahead"] not in run.known.get("strange", []) and not _opens_pull(tx, run):
            ask_for_state(self.desk, tx, run, f"{name}:ahead", closed="pull", pull=int(found["ahead"]), ahead=True)
        if found.get("issue") and found.get("status") is False:
            asked = next(one["comment"] for one in job.payload["runs"] if one["id"] == run.id)
            if asked == run.known.get("status_comment"):
                run = replace(run, known={**run.known, "status_lost": asked})
        if is_restored(tx, run):
            self._tidy(tx, run, found.get("labels", []))
        for check in found.get("checks", []):
            if run.state == IN_REVIEW and run.known.get("head") == check["head"]:
                ask_for_check(self.desk, tx, run, check)
        return run

    def _tidy(self, tx: Transaction, run: r.Run, shown: list[str]) -> None:
        """Take off the phase labels that the run set later than its records know."""
        repository = tx.places.repository(run.repository_id)
        assert repository is not None
        for name in shown:
            if name in labels.PHASES and name != run.known.get("label"):
                write = LabelRemove(repository.full_name, run.issue_number, name)
                self.commander.outboxes.stage(tx, run, write, f"{run.id}:label:{restored_at(tx)}:{name}")

    def _reviewed(self, tx: Transaction, run_id: str, reviews: list[dict[str, Any]]) -> None:
        run = tx.runs.lock(run_id) if reviews else None
        if run is None or is_over(run):
            return
        new = [one for one in reviews if one["id"] not in run.known.get("reviewed", [])]
        if run.state == IN_REVIEW:
            for one in new:
                ask_for_review(self.desk, tx, run, {**one, "by": one["by"][1]})
        asks = [one for one in new if one["state"] == "changes_requested"]
        if run.state.endswith(".approval") and asks:
            remember(tx, [run], reviewed=[one["id"] for one in new])
            setting = Setting.of_run(self._origin(tx, run, asks[-1]["by"]), run, f"look:review:{asks[-1]['id']}")
            self.commander.revise(tx, setting, asks[-1]["body"] or "Changes were requested in a review.")

    def _hear(self, tx: Transaction, run_id: str, said: dict[str, Any]) -> None:
        """A command whose delivery never came in: obeyed as long as GitHub itself would deliver it again, else answered."""
        run = tx.runs.lock(run_id)
        if run is None or is_over(run) or is_heard(tx, run, int(said["comment"])):
            return
        asked, commands = Asked.from_json(said["asked"]), parse_commands(said["body"])
        origin = self._origin(tx, run, said["by"])
        nobody = Actor(0, "", "User")
        issue = IssueFacts(int(said["number"]), "", "", nobody, 0, int(said["at"]), (), bool(said["is_pull"]))
        setting = Setting(origin, issue, f"look:{said['comment']}", int(said["comment"]))
        setting = setting.said_at(int(said["at"]), asked.permission).under(asked.mode)
        if not asked.is_writer(origin.sender):
            self.commander.decline(tx, setting)
            done = [f"{origin.sender.login} has no write permission"]
        elif self._may_obey(run, said, commands):
            done = [
                self.commander.misread(tx, setting, one)
                if isinstance(one, Misread)
                else self.commander.obey(tx, setting, one)
                for one in commands
            ]
        else:
            self.commander.outboxes.reply(tx, setting, "unheard", replies.unheard(origin.sender.login), run=run)
            done = ["found too late to be obeyed"]
        remember(tx, [run], heard=[int(said["comment"])])
        body = {"event": "issue_comment", "state": "found", "reason": "; ".join(done), "run": run.id}
        tx.journal.audit(at=self.desk.clock.now(), kind="delivery", subject=setting.delivery_id, body=body)

    def _may_obey(self, run: r.Run, said: dict[str, Any], commands: Sequence[c.Command | Misread]) -> bool:
        """Nothing was heard or happened since, but for what holds a run; to start or go on is never done by surprise."""
        young = self.desk.clock.now() - int(said["at"]) <= WINDOW_MS
        last = max(run.known.get("heard", []), default=0) < int(said["comment"])
        same = int(said["at"]) >= run.state_at // 1000 * 1000
        holding = all(isinstance(one, c.Cancel | c.Stop | c.Pause) for one in commands)
        going_on = any(isinstance(one, c.Plan | c.Resume) for one in commands)
        return young and last and (same or holding) and not going_on

    def _origin(self, tx: Transaction, run: r.Run, by: list[str]) -> Origin:
        repository = tx.places.repository(run.repository_id)
        assert repository is not None
        ref = RepositoryRef(
            repository.id, repository.full_name, repository.default_branch, private=bool(repository.private)
        )
        return Origin(run.installation_id, ref, Actor(int(by[0]), by[1], by[2]))


def _pause(run: r.Run, last: int) -> int:
    quiet = last - max(run.state_at, run.created_at)
    return min(max(quiet // QUIET, EVERY_MS), SELDOM_MS)


def _key(run: r.Run, at: int) -> str:
    """One look at a repository in each stretch of time, whoever asks."""
    return f"look:{run.repository_id}:{at // EVERY_MS}"


def _shown_at(tx: Transaction, run: r.Run) -> int:
    """Since when people see what they review: the plan, or the code on its branch, though the run waits for further rows yet."""
    row = tx.outbox.get(int(run.known.get("head_row", 0))) if run.state == IN_REVIEW else None
    return min(run.state_at, row.confirmed_at) if row is not None and row.confirmed_at else run.state_at


def _settled_comment(tx: Transaction, run: r.Run, now: int) -> int:
    """The status comment's id once GitHub must show it everywhere; a younger one may still be missing there."""
    known = str(run.known.get("status_comment", ""))
    for row in tx.outbox.of_run(run.id):
        if row.kind == "comment.create" and row.github_id == known and 0 < row.confirmed_at <= now - LAG_MS:
            return int(known)
    return 0


def _opens_pull(tx: Transaction, run: r.Run) -> bool:
    """Whether a row that opens the pull request has not ended: it is looked up before it is sent, and found then."""
    return any(row.kind == "pull.create" and row.state in {"allowed", "sending"} for row in tx.outbox.of_run(run.id))
