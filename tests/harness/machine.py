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

from bot.domain.workflow import ENDS, PUBLISHING, QUEUED, Approval, Drafting, Edge, Stage, Workflow
from bot.ports import records as r
from bot.services.desk import NO_SUBJECT
from tests.contract.databases import INSTALLATION, NOW, REPOSITORY, run
from tests.harness.machine_history import (
    VERSIONS,
    Answers,
    Claimed,
    Granted,
    History,
    Moved,
    Node,
    Recorded,
    Rows,
    Seen,
    Step,
)


@dataclass
class Tally:
    """What a walk came to."""

    nodes: int = 0
    moves: int = 0
    refused: int = 0
    states: set[str] = field(default_factory=set)
    edges: set[Edge] = field(default_factory=set)
    without_evidence: int = 0


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
