"""Every reachable combination of a derived machine, walked over the database's own law (I2 to I4).

A node is what decides: the run's state, each stage's latest subject, open evidence that has not opened an edge yet, and who
approved what. Steps are what may happen there: gates that answer open or closed, people who approve, commands. They are
made by the real `record_gate` and `take_edge` over a migrated SQLite database. At each node every edge, and every state
to which no edge leads, is also tried with every evidence and every approval at hand; what the database answers must be what
the design says.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from bot.domain.gate import GateResult
from bot.domain.workflow import ENDS, PUBLISHING, QUEUED, Approval, Drafting, Edge, Stage, Workflow
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import NO_SUBJECT, Desk, record_gate, take_edge
from tests.contract.databases import INSTALLATION, NOW, REPOSITORY, run

VERSIONS = 2
"""Different documents a stage drafts at most: one, and another after a rework or a revise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A row of evidence in a run's history. ``proven``: every verifier passed."""

    gate: str
    attempt: int
    subject: str
    proven: bool
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """An approval in a run's history."""

    id: int
    stage: str
    subject: str
    person: int
    used: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """What decides which edges are open. What is about an earlier document opens nothing and never will: it is tried
    at every node, and left out here. People differ only in being one or two.

    ``evidence``: gates that are open for the latest document of their stage and have not opened an edge.
    ``approvals``: by stage, of its latest document: how many wait, and whether one was used.
    """

    state: str
    halted_from: str
    versions: tuple[int, ...]
    evidence: frozenset[str]
    approvals: tuple[tuple[int, bool], ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A gate's answer about a stage's subject; ``version`` of a draft is stored first, 0 stands for no draft."""

    gate: str
    stage: int
    is_open: bool
    version: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A person approves the subject that waits; without ``alone`` a second one is needed, and the gate stays closed."""

    stage: int
    person: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """An edge is taken: with evidence that a gate recorded, or with that of a command, which is stored with it."""

    edge: Edge
    attempt: int | None
    approvals: tuple[int, ...]


Step = Recorded | Claimed | Moved


@dataclass(frozen=True, slots=True)
class Answers:
    """What the real gates said of good facts and of the best that does not suffice."""

    opened: GateResult
    closed: GateResult


@dataclass
class Tally:
    """What a walk came to."""

    nodes: int = 0
    moves: int = 0
    refused: int = 0
    states: set[str] = field(default_factory=set)
    edges: set[Edge] = field(default_factory=set)
    without_evidence: int = 0


class Rows:
    """The half of a transaction that moves a run, over a raw connection."""

    def __init__(self, link: sqlite3.Connection) -> None:
        self.link = link
        self.runs = self.journal = self

    def next_attempt(self, run_id: str, gate: str) -> int:
        found = self.link.execute("SELECT count(*) FROM evidence WHERE run_id = ? AND gate = ?", (run_id, gate))
        return int(found.fetchone()[0]) + 1

    def add_evidence(self, row: r.EvidenceRow) -> None:
        values = (row.run_id, row.gate, row.attempt, row.subject_sha256, row.verdict, "[]", "{}", NOW)
        self.link.execute("INSERT INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def move(self, row: r.Transition) -> None:
        values = (row.run_id, row.seq, row.workflow, row.from_state, row.to_state, row.gate, row.attempt)
        more = (row.subject_sha256, NOW, "open", row.approval_id, row.co_approval_id)
        self.link.execute("INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values + more)

    def audit(self, **_: Any) -> None: ...

    def nudge(self, *_: Any, **__: Any) -> None: ...


OTHER = "ee" * 32
"""A document that is not the latest of any stage."""


def subject_of(stage: int, version: int) -> str:
    """The hash of a stage's document in that version."""
    return f"{stage:02x}{version:02x}" * 16


@dataclass
class History:
    """One run, from its birth along some steps; what it remembers is kept beside the database, not read from it."""

    workflow: Workflow
    rows: Rows
    answers: Answers
    run: r.Run
    versions: list[int]
    evidence: list[Seen] = field(default_factory=list)
    approvals: list[Granted] = field(default_factory=list)
    granted: int = 0
    halted_from: str = ""
    strict: bool = False

    @property
    def node(self) -> Node:
        names = [stage.name for stage in self.workflow.stages]
        return Node(
            self.run.state,
            self.halted_from,
            tuple(self.versions),
            frozenset(one.gate for one in self.evidence if self.is_at_hand(one)),
            tuple(self._given(name) for name in names),
        )

    def is_at_hand(self, one: Seen) -> bool:
        """Whether a gate is open for the latest document of its stage and has not opened an edge."""
        stage = one.gate.partition(".")[0]
        return one.proven and not one.spent and one.subject == self.latest(stage)

    def _given(self, stage: str) -> tuple[int, bool]:
        mine = [one for one in self.approvals if (one.stage, one.subject) == (stage, self.latest(stage))]
        return len({one.person for one in mine if not one.used}), any(one.used for one in mine)

    def latest(self, stage: str) -> str:
        """Hash of the stage's latest document, "" before there is one."""
        for index, one in enumerate(self.workflow.stages):
            if one.name == stage and self.versions[index]:
                return subject_of(index, self.versions[index])
        return ""

    def take(self, step: Step) -> None:
        """Make a step by the services' own functions."""
        match step:
            case Recorded():
                self._recorded(step)
            case Claimed():
                self._claimed(step)
            case Moved():
                self._moved(step)

    def _recorded(self, step: Recorded) -> None:
        if step.version:
            sha256, stage = subject_of(step.stage, step.version), self.workflow.stages[step.stage].name
            asked = "SELECT count(*) FROM artifacts WHERE run_id = ? AND stage = ?"
            seq = int(self.rows.link.execute(asked, (self.run.id, stage)).fetchone()[0]) + 1
            self.rows.link.execute(
                "INSERT INTO artifacts (installation_id, sha256, kind, size, created_at, run_id, stage, seq)"
                " VALUES (?, ?, 'subject', 1, ?, ?, ?, ?)",
                (INSTALLATION, sha256, NOW, self.run.id, stage, seq),
            )
            self.versions[step.stage] = step.version
        self._record(step.gate, subject_of(step.stage, self.versions[step.stage]), is_open=step.is_open)

    def _record(self, gate: str, subject: str, *, is_open: bool) -> int:
        answer = replace(self.answers.opened if is_open else self.answers.closed, gate=gate)
        attempt = record_gate(DESK, self._tx, self.run, answer, subject)
        self.evidence.append(Seen(gate, attempt, subject, is_open))
        return attempt

    def _claimed(self, step: Claimed) -> None:
        stage = self.workflow.stages[step.stage]
        subject = self.latest(stage.name)
        self.approvals.append(self._grant(stage.name, subject, step.person))
        self._record(f"{stage.name}.approval", subject, is_open=step.alone)

    def _moved(self, step: Moved) -> None:
        edge = step.edge
        subject = self.latest(edge.subject) if edge.subject else NO_SUBJECT
        if step.attempt is not None:
            subject = next(one.subject for one in self.evidence if (one.gate, one.attempt) == (edge.gate, step.attempt))
        before = self.rows.next_attempt(self.run.id, edge.gate)
        self.halted_from = self.run.state if self.strict and edge.gate == "halt" else ""
        for one in step.approvals:
            self.rows.link.execute("UPDATE approvals SET used_at = 1 WHERE id = ?", (one,))
        self.run = take_edge(
            DESK,
            self._tx,
            self.run,
            edge.end,
            edge.gate,
            subject=subject,
            attempt=step.attempt,
            approvals=step.approvals,
        )
        if step.attempt is None:
            self.evidence.append(Seen(edge.gate, before, subject, proven=True, spent=True))
        spent = (edge.gate, step.attempt)
        self.evidence = [replace(one, spent=True) if (one.gate, one.attempt) == spent else one for one in self.evidence]
        self.approvals = [replace(one, used=True) if one.id in step.approvals else one for one in self.approvals]

    # What an adversary stores beside it

    def of_gate(self, gate: str) -> list[Seen]:
        """The gate's evidence, one of each that differs in what counts."""
        return list({(one.subject, one.proven, one.spent): one for one in self.evidence if one.gate == gate}.values())

    def forged(self, gate: str, subject: str, *, proven: bool) -> Seen:
        """Evidence that is stored and not remembered."""
        attempt = self.rows.next_attempt(self.run.id, gate)
        verdict = "open" if proven else "closed"
        self.rows.add_evidence(r.EvidenceRow(self.run.id, gate, attempt, subject, verdict, [], {}, NOW))
        return Seen(gate, attempt, subject, proven)

    def forge_evidence(self, edge: Edge) -> list[Seen]:
        """A closed gate and an open one about the latest document, and an open one about a document that is not the latest."""
        subject = self.latest(edge.subject) if edge.subject else NO_SUBJECT
        made = [self.forged(edge.gate, subject, proven=proven) for proven in (False, True)]
        return [*made, self.forged(edge.gate, OTHER, proven=True)] if edge.subject else made

    def forge_approvals(self, stage: str) -> list[Granted]:
        """Unused ones of another document of the stage, and of this document in another stage."""
        others = [one.name for one in self.workflow.stages if one.name != stage]
        return [self._grant(stage, OTHER, 8), self._grant(others[0], self.latest(stage), 9)]

    def _grant(self, stage: str, subject: str, person: int) -> Granted:
        self.granted += 1
        made = self.rows.link.execute(
            "INSERT INTO approvals (run_id, stage, subject_sha256, by_id, by_login, permission, source, source_id, granted_at,"
            " evidence, used_at) VALUES (?, ?, ?, ?, 'ana', 'write', 'comment', ?, ?, '{}', 0)",
            (self.run.id, stage, subject, person, self.granted, NOW),
        )
        assert made.lastrowid is not None
        return Granted(made.lastrowid, stage, subject, person)

    @property
    def _tx(self) -> Transaction:
        return cast("Transaction", self.rows)


DESK = cast("Desk", SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW)))


def self_stored(workflow: Workflow, gate: str) -> bool:
    """Whether a command, an event or a count of rounds stores the gate's evidence in the very step that takes the edge."""
    stages = {stage.name for stage in workflow.stages}
    name, _, what = gate.partition(".")
    return name not in stages or what in {"redraft", "rework", "rereview"}


def design_allows(
    history: History,
    edges: Mapping[tuple[str, str, str], Edge],
    end: str,
    gate: str,
    evidence: Seen | None,
    approvals: tuple[Granted, ...],
) -> bool:
    """What DESIGN sections 2 and 4 say about one attempt, in words of their own."""
    edge = edges.get((history.run.state, end, gate))
    if edge is None or evidence is None or not evidence.proven or evidence.spent:
        return False
    if edge.subject and (not evidence.subject or evidence.subject != history.latest(edge.subject)):
        return False
    if edge.approval:
        covers = [one.stage == edge.subject and one.subject == evidence.subject and not one.used for one in approvals]
        return bool(covers) and all(covers) and len({one.person for one in approvals}) == len(approvals)
    if approvals:
        return False
    return gate not in {"retry", "feedback"} or _covered(history, end)


def _covered(history: History, end: str) -> bool:
    """Whether the last approval before the stage that is entered was given to, and used on, what it would rest on now."""
    stages = history.workflow.stages
    entered = next(index for index, one in enumerate(stages) if end in {one.draft, one.review})
    before = [one for one in stages[:entered] if one.approval is Approval.ALWAYS]
    if not before:
        return True
    latest = history.latest(before[-1].name)
    return any((one.stage, one.subject, one.used) == (before[-1].name, latest, True) for one in history.approvals)


def is_behind_plan(workflow: Workflow, state: str) -> bool:
    """Whether code is drafted, reviewed, asked about, published or looked at in ``state`` (I3)."""
    coding = [one for one in workflow.stages if one.drafting is Drafting.STEPS]
    return state in {PUBLISHING, "in_review", "done"} or any(
        state in {one.draft, one.review, one.waiting} for one in coding
    )


class Walk:
    """Breadth first over all nodes of a workflow; each is made anew in a transaction that is undone.

    ``strict``: `retry` leads only where the services let it lead, not wherever the database would.
    """

    def __init__(
        self, workflow: Workflow, link: sqlite3.Connection, answers: Answers, *, extra_drafts: int, strict: bool = False
    ) -> None:
        self.strict = strict
        self.workflow, self.rows, self.answers = workflow, Rows(link), answers
        self.most_drafts = len(workflow.stages) + extra_drafts
        self.tally = Tally()
        self.edges = workflow.edges
        self.by_ends = {(edge.start, edge.end, edge.gate): edge for edge in self.edges}
        self.gates_into = {
            end: sorted({edge.gate for edge in self.edges if edge.end == end}) for end in workflow.states
        }

    def run(self) -> Tally:
        """Visit everything."""
        seen: set[Node] = set()
        front: deque[tuple[Step, ...]] = deque([()])
        while front:
            path = front.popleft()
            self.rows.link.execute("BEGIN")
            try:
                history = self._made(path)
                seen.add(history.node)
                for step in self._steps(history, path):
                    after = self._after(history, step)
                    if after not in seen:
                        seen.add(after)
                        front.append((*path, step))
                self._visit(history)
            finally:
                self.rows.link.execute("ROLLBACK")
        self.tally.nodes = len(seen)
        return self.tally

    def _after(self, history: History, step: Step) -> Node:
        """Where a step leads; undone."""
        self.rows.link.execute("SAVEPOINT step")
        copy = replace(
            history,
            versions=list(history.versions),
            evidence=list(history.evidence),
            approvals=list(history.approvals),
        )
        copy.take(step)
        self.rows.link.execute("ROLLBACK TO step")
        return copy.node

    def _made(self, path: tuple[Step, ...]) -> History:
        row = run(1, workflow=self.workflow.name)
        self.rows.link.execute(RUN, (row.id, INSTALLATION, REPOSITORY, self.workflow.name))
        history = History(self.workflow, self.rows, self.answers, row, [0] * len(self.workflow.stages))
        history.strict = self.strict
        for step in path:
            history.take(step)
        return history

    # What is tried against the law

    def _visit(self, history: History) -> None:
        self.tally.states.add(history.run.state)
        if is_behind_plan(self.workflow, history.run.state):
            plan = self.workflow.plan_of(self.workflow.stages[-1])
            used = history.node.approvals[self.workflow.stages.index(plan)][1]
            assert used, f"{history.node} holds code under a plan that nobody approved"
        here = [edge for edge in self.edges if edge.start == history.run.state]
        for edge in here:
            stage = edge.subject or self.workflow.stages[0].name
            approvals = [*history.approvals, *history.forge_approvals(stage)] if edge.approval else history.approvals
            sets = _sets(approvals, pairs=edge.approval)
            for evidence in (None, *history.forge_evidence(edge), *history.of_gate(edge.gate)):
                for given in sets:
                    self._try(history, edge.end, edge.gate, evidence, given)
        taken = {(edge.end, edge.gate) for edge in here}
        for end, gates in self.gates_into.items():
            for gate in gates:
                if (end, gate) not in taken:
                    best = history.forged(gate, history.latest(gate.partition(".")[0]), proven=True)
                    self._try(history, end, gate, best, ())

    def _try(
        self, history: History, end: str, gate: str, evidence: Seen | None, approvals: tuple[Granted, ...]
    ) -> None:
        link, before = self.rows.link, history.run
        first, second = (*(one.id for one in approvals), None, None)[:2]
        subject = evidence.subject if evidence is not None else history.latest(self.workflow.stages[0].name)
        attempt = 99 if evidence is None else evidence.attempt
        seq, start = before.state_seq + 1, before.state
        row = r.Transition(
            before.id, seq, before.workflow, start, end, gate, attempt, subject, NOW, "open", first, second
        )
        link.execute("SAVEPOINT tried")
        try:
            self.rows.move(row)
            opened = True
        except sqlite3.IntegrityError:
            opened = False
        link.execute("ROLLBACK TO tried")
        wanted = design_allows(history, self.by_ends, end, gate, evidence, approvals)
        assert opened is wanted, f"{history.node}: {end} by {gate} over {evidence} and {approvals}: {opened}"
        self.tally.refused += not opened
        self.tally.without_evidence += opened and (evidence is None or not evidence.proven or evidence.spent)

    # What may happen next

    def _steps(self, history: History, path: tuple[Step, ...]) -> Iterator[Step]:
        state = history.run.state
        if state in ENDS:
            return
        stage = self.workflow.stage_of(state)
        here = [edge for edge in self.edges if edge.start == state]
        at_once = [one for one in here if one.gate in history.node.evidence and not one.gate.endswith(".review")]
        # What a draft's gate, an unattended review or an approval opens is taken in the transaction that records it.
        if stage is not None and not at_once:
            yield from self._events(history, stage, path)
        for edge in at_once or here:
            if self.strict and edge.gate == "retry" and edge.end != self._comes_back_to(history.halted_from):
                continue
            yield from self._moves(history, edge)

    def _comes_back_to(self, halted_from: str) -> str:
        """Where `retry` leads (DESIGN section 4, the table's last row but one)."""
        stage = self.workflow.stage_of(halted_from)
        if stage is not None:
            return stage.draft
        return self.workflow.stages[0].draft if halted_from == QUEUED else self.workflow.stages[-1].review

    def _events(self, history: History, stage: Stage, path: tuple[Step, ...]) -> Iterator[Step]:
        index = self.workflow.stages.index(stage)
        state, version = history.run.state, history.versions[index]
        if state == stage.draft:
            drafts = sum(isinstance(step, Recorded) and step.version > 0 for step in path)
            if drafts < self.most_drafts:
                for new in sorted({max(version, 1), min(version + 1, VERSIONS)}):
                    yield Recorded(f"{stage.name}.draft", index, is_open=True, version=new)
        elif state == stage.review and version:
            for gate in self._review_gates(stage):
                if gate not in history.node.evidence:
                    yield Recorded(gate, index, is_open=True)
        elif state == stage.waiting:
            waiting = history.node.approvals[index][0]
            if waiting < 2:
                yield Claimed(index, waiting + 1, alone=True)
            if not waiting:
                yield Claimed(index, 1, alone=False)

    @staticmethod
    def _review_gates(stage: Stage) -> list[str]:
        asked = [] if stage.approval is Approval.NEVER else [f"{stage.name}.review"]
        return asked + ([] if stage.approval is Approval.ALWAYS else [f"{stage.name}.unattended"])

    def _moves(self, history: History, edge: Edge) -> Iterator[Step]:
        at_hand = [(one, one.attempt) for one in history.of_gate(edge.gate)]
        if self_stored(self.workflow, edge.gate):
            subject = history.latest(edge.subject) if edge.subject else NO_SUBJECT
            at_hand = [(Seen(edge.gate, 0, subject, proven=True), 0)]
        waiting = [one for one in history.approvals if not one.used and one.subject == history.latest(one.stage)]
        sets = [(), *((one,) for one in waiting), tuple(waiting[:2])] if edge.approval else [()]
        for evidence, attempt in at_hand:
            for given in dict.fromkeys(sets):
                if design_allows(history, self.by_ends, edge.end, edge.gate, evidence, given):
                    self.tally.moves += 1
                    self.tally.edges.add(edge)
                    yield Moved(edge, attempt or None, tuple(one.id for one in given))


def _sets(approvals: Sequence[Granted], *, pairs: bool) -> list[tuple[Granted, ...]]:
    """No approval, each alone, and where an edge wants one each two of them."""
    alone: list[tuple[Granted, ...]] = [(), *((one,) for one in approvals)]
    return alone + [(one, other) for one in approvals for other in approvals] if pairs else alone[:2]


RUN = """INSERT INTO runs (id, installation_id, repository_id, issue_number, workflow, branch, requester_id, requester_login,
 delivery_id, created_at, updated_at, state, state_seq, state_at, paused, mode, risk, snapshot_sha256, budget_micro_dollars,
 spent_micro_dollars, reserved_micro_dollars, halted_from, halt_reason, rounds, known, wakes_at, version)
 VALUES (?, ?, ?, 1, ?, 'b', 1, 'ana', 'd', 0, 0, 'queued', 0, 0, 0, 'active', 'normal', '', 0, 0, 0, '', '', '{}', '{}', 0, 0)"""


def open_records(template: str) -> sqlite3.Connection:
    """A copy in memory of a migrated database file."""
    link = sqlite3.connect(":memory:", isolation_level=None)
    with closing(sqlite3.connect(template)) as stored:
        stored.backup(link)
    link.execute("PRAGMA foreign_keys = ON")
    return link
