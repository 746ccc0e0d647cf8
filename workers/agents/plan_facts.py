"""Facts about a submitted plan, collected at base: the plan gate judges them (DESIGN section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.errors import ConductorError
from bot.domain.facts import BaseEntry, CitedText, CommandRun, GuardFact, PlanFacts
from bot.domain.paths import collisions
from bot.domain.plan import CommandProof, Plan
from bot.domain.risk import risk as risk_of
from bot.domain.subject import PlanSubject, canonical, sha256_of
from bot.gates.plan_gate import PLAN_GATE
from bot.wording.bodies import plan_body_bytes
from workers.agents.proving import Prover
from workers.agents.room import Room
from workers.agents.runners.detecting import detected
from workers.guard import Profile, judge
from workers.tools.lines import Lines, lines_of
from workers.tools.sources import GitSource

AFTER_RUNS = frozenset({"guard", "runs", "size"})
"""Verifiers whose facts are collected only after the submission is taken."""


@dataclass(frozen=True, slots=True)
class PlanReader:
    """Reads what a plan says against base."""

    room: Room
    source: GitSource

    def without_runs(self, plan: Plan) -> PlanFacts:
        """All that can be known by reading."""
        config = self.room.snapshot.config
        entries = self.source.entries()
        found = () if config.verify else detected(entries, self._text)
        verify = tuple(dict.fromkeys((*(config.verify or found), *plan.verify)))
        created = [entry.path for step in plan.steps for entry in step.paths if entry.use == "create"]
        return PlanFacts(
            plan=plan,
            entries={path: entries.get(path) for path in _named(plan)},
            collisions=tuple(path for path in collisions(created, entries) if path not in entries),
            cited=tuple(self._cited(plan)),
            verify_configured=config.verify,
            verify_detected=found,
            verify=verify,
            setup=config.setup,
            protected=config.protected,
            document_bytes=len(canonical(plan.model_dump(mode="json"))),
        )

    def verify_in_effect(self) -> tuple[str, ...]:
        """Configured commands, else detected ones."""
        return self.room.snapshot.config.verify or detected(self.source.entries(), self._text)

    def _text(self, path: str) -> str:
        try:
            return self.source.read(path).decode("utf-8", "replace")
        except ConductorError:
            return ""  # a link or a submodule of that name says nothing about how to run tests

    def problems(self, plan: Plan) -> tuple[str, ...]:
        """What the gate will say that reading alone can tell, so that it costs no round."""
        facts = self.without_runs(plan)
        reasons = PLAN_GATE.evaluate(facts).reasons
        return tuple(one.sentence for one in reasons if one.verdict != "pass" and one.verifier not in AFTER_RUNS)

    def _cited(self, plan: Plan) -> list[CitedText]:
        """What stands at each citation, redacted in its whole file, as the model saw it."""
        files: dict[str, Lines | str] = {}
        found: list[CitedText] = []
        for one in plan.grounds:
            if one.path not in files:
                files[one.path] = self._lines(one.path)
            lines = files[one.path]
            text: str | None = None
            problem = ""
            if isinstance(lines, str):
                problem = lines
            elif one.end_line > len(lines.text):
                problem = f"the file has {len(lines.text)} lines"
            else:
                text = self._sayable("\n".join(lines.text[one.start_line - 1 : one.end_line]))
            found.append(
                CitedText(
                    path=one.path,
                    start_line=one.start_line,
                    end_line=one.end_line,
                    quote=self.room.redact(one.quote),
                    text=text,
                    problem=problem,
                )
            )
        return found

    @staticmethod
    def _sayable(text: str) -> str:
        """Facts are JSON, which has no bytes that are no UTF-8."""
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def _lines(self, path: str) -> Lines | str:
        try:
            found = lines_of(self.source.read(path), self.room.redactor)
        except ConductorError as error:
            return error.sentence
        return "it is a binary file" if found is None else found

    def whole(self, plan: Plan) -> PlanFacts:
        """Everything, with each verify command run at base in a fresh sandbox."""
        facts = self.without_runs(plan)
        proofs = [one.proof.command for one in plan.acceptance if isinstance(one.proof, CommandProof)]
        guard = tuple(_guard(command) for command in dict.fromkeys((*facts.verify, *proofs, *facts.setup)))
        allowed = {one.command for one in guard if one.allowed}
        prover = Prover(self.room, self.room.layer())
        runs = prover.run_all(prover.verify((one for one in facts.verify if one in allowed), self.room.base))
        facts = facts.model_copy(update={"guard": guard, "runs": tuple(runs)})
        return facts.model_copy(update={"body_bytes": self._body_bytes(facts, runs)})

    def _body_bytes(self, facts: PlanFacts, runs: list[CommandRun]) -> int:
        """Size of the pull request's body that would show this plan."""
        room, config = self.room, self.room.snapshot.config
        risk = risk_of(
            [entry for step in facts.plan.steps for entry in step.paths],
            config.protected,
            ids_readable=any(one.tests is not None for one in runs),
            suspicious_edit=room.snapshot.issue.suspicious_edit,
        )
        subject = PlanSubject(
            plan=facts.plan,
            blobs=_blobs(facts.entries),
            verify=facts.verify,
            setup=facts.setup,
            config_sha256=sha256_of(canonical(config.canonical())),
            risk=risk.level,
            risk_reasons=risk.reasons,
            issue_sha256="0" * 64,
            budget_micro_dollars=room.run.budget_micro_dollars,
        )
        return plan_body_bytes(subject, issue=room.snapshot.issue.number, run_id=room.run.id, notes=room.snapshot.notes)


def _blobs(entries: dict[str, BaseEntry | None]) -> dict[str, str]:
    return {path: entry.blob for path, entry in entries.items() if entry is not None}


def _named(plan: Plan) -> list[str]:
    """Every path that the plan mentions."""
    steps = [entry.path for step in plan.steps for entry in step.paths]
    others = [*(one.path for one in plan.tests), *(one.path for one in plan.grounds)]
    return list(dict.fromkeys([*steps, *others]))


def _guard(command: str) -> GuardFact:
    decision = judge(command, Profile.IMPLEMENTER)
    return GuardFact(command=command, allowed=decision.allowed, rule=decision.rule, reason=decision.reason)
