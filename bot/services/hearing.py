"""What deliveries and looks at GitHub share: the jobs that read a change whole, and which words were heard already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bot.domain.jobs import QUEUE_OF, JobKind
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import Desk, ask, is_over, new_job

MOST_HEARD: Final = 500


def ask_for_state(desk: Desk, tx: Transaction, run: r.Run, why: str, *, closed: str = "", **more: Any) -> None:
    """Have read what became of the run's pull request and issue before a closing, a merge or a moved head is believed.

    ``closed``: issue or pull, or "" for the head alone. ``more``: ``label``, ``pull``, ``ahead``, ``restored``.
    """
    kind = JobKind.PULL_STATE
    payload = {"pull": run.known.get("pull", 0), "closed": closed, "issue": run.issue_number, **more}
    ask(tx, new_job(desk, run, f"state:{why}", kind, QUEUE_OF[kind], payload=payload))


def ask_for_review(desk: Desk, tx: Transaction, run: r.Run, review: dict[str, Any]) -> None:
    """Have a person's review read whole. ``review``: ``{id, state, body, by, head}``."""
    kind = JobKind.FEEDBACK
    payload = {
        "source": "review",
        "pull": run.known.get("pull", 0),
        "review_id": review["id"],
        **{name: review[name] for name in ("state", "body", "by", "head")},
    }
    ask(tx, new_job(desk, run, f"feedback:review:{review['id']}", kind, QUEUE_OF[kind], payload=payload))


def ask_for_check(desk: Desk, tx: Transaction, run: r.Run, check: dict[str, Any]) -> None:
    """Have a failed check read. ``check``: ``{id, name, conclusion, head}``."""
    kind = JobKind.FEEDBACK
    payload = {"source": "check", "check_run_id": check["id"]}
    payload |= {name: check[name] for name in ("name", "conclusion", "head")}
    ask(tx, new_job(desk, run, f"feedback:check:{check['id']}", kind, QUEUE_OF[kind], payload=payload))


def own_heads(tx: Transaction, run: r.Run) -> set[str]:
    """Commits of ours, also one whose ref has moved though the answer that says so is still out."""
    sent = {str(row.response.get("sha", "")) for row in tx.outbox.of_run(run.id) if row.kind.startswith("branch.")}
    return {str(run.known.get("head", "")), *run.known.get("heads", []), *sent}


def concerned(tx: Transaction, repository_id: int, number: int, *, is_pull: bool) -> list[r.Run]:
    """Runs that words on an issue or pull request are about, each under its lock."""
    found = [tx.runs.of_pull(repository_id, number)] if is_pull else tx.runs.of_issue(repository_id, number)
    locked = (tx.runs.lock(run.id) for run in found if run is not None)
    return [run for run in locked if run is not None]


def is_heard(tx: Transaction, run: r.Run, comment_id: int) -> bool:
    """Whether a comment's commands took effect; an earlier release left its acknowledgement or its approval alone."""
    if comment_id in run.known.get("heard", []) or tx.outbox.by_key(f"ack:{comment_id}") is not None:
        return True
    claims = [one["source_id"] for one in run.known.get("claims", []) if one["source"] == "comment"]
    used = [row.source_id for row in tx.runs.approvals(run.id) if row.source == "comment"]
    return comment_id in {*claims, *used}


def remember(
    tx: Transaction, runs: Sequence[r.Run], *, heard: Sequence[int] = (), reviewed: Sequence[int] = ()
) -> None:
    """Keep with the living among these runs that these comments or reviews have taken effect."""
    for run in runs:
        now = tx.runs.lock(run.id)
        if now is None or is_over(now):
            continue
        known = dict(now.known)
        for name, new in (("heard", heard), ("reviewed", reviewed)):
            if new:
                known[name] = list(dict.fromkeys([*known.get(name, []), *new]))[-MOST_HEARD:]
        tx.runs.save(replace(now, known=known))
