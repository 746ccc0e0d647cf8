"""What stands on the simulated GitHub in the end, against what should: by the outbox's rows, and by a calm run of the same script."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.crash.script import Story
from bot.domain.audit_chain import verify_chain
from bot.domain.workflow import NEEDS_HUMAN
from bot.domain.writes import marker
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.github.model import Comment, Repository
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.matching import unmatched

MANY: Final = 1_000_000
_ROW: Final = re.compile(r"^Conductor-Row: (\w+)$", re.MULTILINE)
_CHANCE: Final = re.compile(r"@\w+|\b[0-9a-f]{7,64}\b|\b[a-z0-9]{12}\b|\$\d+\.\d+|#?\b\d+\b")
"""What no two runs share in the first line of a text: ids, hashes, money, numbers, who asked."""


@dataclass(slots=True)
class Verdict:
    """Names of what is not as it should be; ``keys``: how many effects were looked for by their key."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.doubled or self.unended or self.broken)


def profile(story: Story) -> Counter[str]:
    """What people find on an issue and its pull request, without the names that chance gave; equal for runs of one script."""
    within, issue, pull = story.within, story.issue, story.pull()
    found = [f"label {one.name}" for one in issue.labels] + [f"issue {issue.state}"]
    for where, one in (("issue", issue), *((("pull", pull[0]),) if pull else ())):
        found += [f"{where} reaction {each.content} by {each.user.login}" for each in one.reactions]
        for comment in one.comments:
            said = _CHANCE.sub("#", comment.body.splitlines()[0])
            found.append(f"{where} comment by {comment.user.kind}: {said}")
            found += [f"{where} comment's reaction {each.content}" for each in comment.reactions]
    if pull is not None:
        shown, about = pull
        state = "merged" if about.merged_at is not None else shown.state
        found += [f"pull {state} draft={about.draft} {_CHANCE.sub('#', shown.title)}"]
        found += [f"reviewer {one.login == story.by}" for one in about.reviewers]
        commits = own_commits(within, about.head)
        found += [f"commit {_CHANCE.sub('#', message.splitlines()[0])}" for _, message in commits]
        heads = {sha: f"commit {number}" for number, (sha, _) in enumerate(commits)}
        for check in within.checks.values():
            if check.head_sha in heads:
                found.append(f"check {check.name} on {heads[check.head_sha]}: {check.status} {check.conclusion}")
    return Counter(found)


def own_commits(within: Repository, branch: str) -> list[tuple[str, str]]:
    """Sha and message of the branch's commits that a row made, oldest first."""
    found: list[tuple[str, str]] = []
    sha = within.branch(branch)
    while sha is not None:
        commit = within.git.commit(sha)
        if not _ROW.search(commit.message):
            break
        found.append((sha, commit.message))
        sha = commit.parents[0] if commit.parents else None
    return found[::-1]


def judge(github: SimulatedGitHub, tx: Transaction, stories: Sequence[Story], calm: dict[str, Counter[str]]) -> Verdict:
    """All comparisons, when everything has come to rest."""
    verdict = Verdict()
    rows = sorted(tx.outbox.recent(limit=MANY), key=lambda row: row.id)
    of_repository: dict[int, list[r.OutboxRow]] = {}
    for row in rows:
        of_repository.setdefault(row.repository_id, []).append(row)
    with github.world.lock:
        for story in stories:
            _as_calm(verdict, story, calm[story.script.name])
        for within in github.world.repositories.values():
            _by_rows(verdict, within, of_repository.get(within.id, []), github.world.bot.login)
    _matched(verdict, github, rows)
    _taken(verdict, github, tx)
    _records(verdict, tx, stories, rows)
    verdict.broken += [f"violation: {one}" for one in github.violations]
    return verdict


def _as_calm(verdict: Verdict, story: Story, calm: Counter[str]) -> None:
    """Against the script alone: what was recorded is not asked."""
    if not story.is_over():
        verdict.unended.append(
            f"{story.name}: did {story.done} of {len(story.script.acts)} acts, has the labels {sorted(story.labels())}"
        )
        return
    found = profile(story)
    verdict.keys["by script"] += sum(calm.values())
    verdict.lost += [f"{story.name}: {count}x {what}" for what, count in (calm - found).items()]
    verdict.doubled += [f"{story.name}: {count}x {what}" for what, count in (found - calm).items()]


def _by_rows(verdict: Verdict, within: Repository, rows: Sequence[r.OutboxRow], bot: str) -> None:
    """Each thing that can be there twice, by the key of its row; and nothing of ours without a row."""
    ours = [one for issue in within.issues.values() for one in issue.comments if one.user.login == bot]
    there = _keyed(within, ours, _comments(rows))
    wanted: set[str] = set()
    for row in rows:
        if not (key := _key(row)):
            continue
        wanted.add(key)
        verdict.keys[row.kind] += 1
        if there[key] != 1 and row.state == "confirmed":
            (verdict.doubled if there[key] else verdict.lost).append(
                f"{within.full_name} row {row.id} {row.kind} {row.dedupe_key}: {there[key]} times"
            )
    for key in sorted(there.keys() - wanted):
        verdict.doubled.append(f"{within.full_name}: {key}, which no row wanted{_after(ours, key)}")


def _after(ours: Sequence[Comment], key: str) -> str:
    """How long after its twin a comment was made: a lease tells of a sender that was halted, less of a look that came too early."""
    made = [one.created for one in ours if key.endswith(one.body.splitlines()[-1])]
    return f", {max(made) - min(made):.2f} s after the first" if len(made) > 1 else ""


def _comments(rows: Iterable[r.OutboxRow]) -> dict[str, str]:
    """Marker to the id of the comment that is to carry it: the one that was made, or the one that was edited."""
    found = {marker(row.token): row.github_id for row in rows if row.kind == "comment.create"}
    edits = {marker(row.token): row.target.rpartition("/")[2] for row in rows if row.kind == "comment.update"}
    return found | edits


def _keyed(within: Repository, ours: Iterable[Comment], marked: dict[str, str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in ours:
        mark = one.body.splitlines()[-1]
        # A second one of the same row carries its marker under another id.
        found[f"comment {one.id}" if marked.get(mark) == str(one.id) else f"comment {one.id} {mark}"] += 1
    for check in within.checks.values():
        found[f"check {check.name} {check.head_sha}"] += 1
    for _, pull in within.pulls():
        found[f"pull {pull.head}"] += 1
    for name in within.git.refs("refs/heads/conductor/"):
        for _, message in own_commits(within, name.removeprefix("refs/heads/")):
            found[f"commit {_ROW.findall(message)[-1]}"] += 1
    return found


def _key(row: r.OutboxRow) -> str:
    """What a row is known by on GitHub; the kinds without a key are idempotent by nature and compared by script."""
    match row.kind:
        case "comment.create":
            return f"comment {row.github_id}"
        case "check_run.create":
            # Its external id changes with every update.
            asked = json.loads(row.payload)
            return f"check {asked['name']} {asked['head_sha']}"
        case "pull.create":
            return f"pull {json.loads(row.payload)['head']}"
        case "branch.create" | "branch.update":
            return f"commit {_ROW.findall(json.loads(row.payload)['message'])[-1]}"
        case _:
            return ""


def _taken(verdict: Verdict, github: SimulatedGitHub, tx: Transaction) -> None:
    """Every delivery that was not dropped is in the inbox, once, and was settled."""
    for guid, attempt in {one.guid: one for one in github.deliveries}.items():
        row = tx.deliveries.get(guid)
        if row is None:
            verdict.lost.append(
                f"delivery {guid} {attempt.event} never came in, its last attempt got {attempt.status_code}"
            )
        elif row.state not in {"done", "ignored"}:
            verdict.broken.append(f"delivery {guid} {row.event} is {row.state}: {row.reason}")


def _matched(verdict: Verdict, github: SimulatedGitHub, rows: Sequence[r.OutboxRow]) -> None:
    """Every change is the bytes of a row that was sent."""
    writes = github.writes
    for within in github.world.repositories.values():
        path = f"/repos/{within.full_name}/"
        own = [one for one in writes if one.path.startswith(path)]
        listed = [row for row in rows if row.repository_id == within.id]
        verdict.broken += [f"unmatched write: {one}" for one in unmatched(own, listed, within.git)]
    some = next(iter(github.world.repositories.values()))
    asked = [one for one in writes if one.path == "/graphql"]
    ready = [row for row in rows if row.kind in {"pull.ready", "thread.resolve"}]
    verdict.broken += [f"unmatched write: {one}" for one in unmatched(asked, ready, some.git)]


def _records(verdict: Verdict, tx: Transaction, stories: Sequence[Story], rows: Sequence[r.OutboxRow]) -> None:
    """Each row, delivery and run has come to the end that was wanted, and the chain holds."""
    for row in rows:
        if row.state != "confirmed":
            verdict.broken.append(f"row {row.id} {row.kind} {row.dedupe_key} is {row.state}: {row.reason}")
    ends: dict[tuple[int, int], list[str]] = {}
    for run in tx.runs.recent(limit=MANY):
        halted = f": {run.halt_reason}" if run.state == NEEDS_HUMAN else ""
        ends.setdefault((run.repository_id, run.issue_number), []).append(run.state + halted)
        for job in tx.jobs.of_run(run.id):
            if job.state in {"waiting", "queued", "running"} or (job.state == "failed" and run.state != NEEDS_HUMAN):
                verdict.broken.append(f"job {job.key} of a run that is {run.state} is {job.state}: {job.reason}")
    for story in stories:
        found = ends.get((story.within.id, story.number), [])
        if [one.partition(":")[0] for one in found] != [story.script.end]:
            verdict.unended.append(f"{story.name}: its runs are {found}, wanted is one {story.script.end}")
    problem = verify_chain(tx.journal.audit_rows(limit=MANY))
    if problem:
        verdict.broken.append(f"audit: {problem}")
