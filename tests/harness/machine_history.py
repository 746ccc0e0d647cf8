"""One run of a derived machine over the database's own law: its steps by the services' own functions, and what it remembers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from bot.domain.gate import GateResult
from bot.domain.workflow import Edge, Workflow
from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.services.desk import NO_SUBJECT, Desk, record_gate, take_edge
from tests.contract.databases import INSTALLATION, NOW

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
