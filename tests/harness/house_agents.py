"""Agents that answer from a script: what they hand back is shaped as the real ones' results, made from the real trees."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.domain.jobs import JobKind
from bot.domain.outcome import Done, Outcome
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject, canonical
from bot.domain.work import CodeSubject, Patch
from bot.ports.records import Job
from bot.services.desk import Desk

CALC = "def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n"
FIXED = CALC.replace("a - b", "a + b", 1)
OLD_TEST = "from calc import sub\n\n\ndef test_sub():\n    assert sub(3, 1) == 2\n"
NEW_TEST = "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
FILES = {"calc.py": CALC, "tests/test_calc.py": OLD_TEST}
PLAN: dict[str, Any] = {
    "summary": "Make add add",
    "acceptance": [{"id": "A1", "text": "add adds", "proof": {"test": "tests/test_add.py::test_add"}}],
    "steps": [
        {
            "id": "S1",
            "title": "Fix add",
            "intent": "Use plus",
            "paths": [{"path": "calc.py", "use": "edit"}, {"path": "tests/test_add.py", "use": "create"}],
            "covers": ["A1"],
        }
    ],
    "grounds": [{"path": "calc.py", "start_line": 1, "end_line": 2, "quote": "def add(a, b):\n    return a - b"}],
    "tests": [{"path": "tests/test_add.py", "change": "add", "why": "proof"}],
}
TWO_STEPS: dict[str, Any] = {
    **PLAN,
    "steps": [
        {
            "id": "S1",
            "title": "Fix add",
            "intent": "Use plus",
            "paths": [{"path": "calc.py", "use": "edit"}],
            "covers": ["A1"],
        },
        {
            "id": "S2",
            "title": "Prove it",
            "intent": "Add a test",
            "paths": [{"path": "tests/test_add.py", "use": "create"}],
            "covers": ["A1"],
        },
    ],
}
APPROVE: dict[str, Any] = {"verdict": "approve"}
Files = Mapping[str, str | None]


def finding(
    path: str = "calc.py", line: int = 2, quote: str = "return a + b", *, title: str = "It is wrong", **more: Any
) -> dict[str, Any]:
    """A finding with one citation."""
    cited = {"path": path, "start_line": line, "end_line": line, "quote": quote}
    said = {"title": title, "severity": "major", "category": "correctness", "claim": f"{title} here."}
    return {**said, "evidence": [cited], **more}


def plan_finding(
    pointer: str = "/summary", quote: str = "Make add add", *, title: str = "Too vague", **more: Any
) -> dict[str, Any]:
    """A finding about the plan itself."""
    said = {"title": title, "severity": "major", "category": "plan", "claim": f"{title} there."}
    return {**said, "evidence": [{"pointer": pointer, "quote": quote}], **more}


def changes(*findings: Mapping[str, Any], says: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A review that asks for changes; ``says`` are resolutions of earlier findings."""
    return {"verdict": "changes_requested", "findings": list(findings), "resolutions": list(says)}


def approves(*says: Mapping[str, Any]) -> dict[str, Any]:
    """A review that approves and says what became of earlier findings."""
    return {"verdict": "approve", "resolutions": list(says)}


def fixed(name: str, line: int = 2, quote: str = "return a + b", path: str = "calc.py") -> dict[str, Any]:
    """A finding is fixed, shown by a line of the new code."""
    cited = {"path": path, "start_line": line, "end_line": line, "quote": quote}
    return {"finding": name, "status": "fixed", "reason": "it is mended", "evidence": [cited]}


def fixed_plan(name: str, quote: str, pointer: str = "/summary") -> dict[str, Any]:
    """A finding about the plan is fixed, shown by a value of the new one."""
    evidence = [{"pointer": pointer, "quote": quote}]
    return {"finding": name, "status": "fixed", "reason": "it is mended", "evidence": evidence}


@dataclass
class FakeAgents:
    """Answers in the order in which contexts begin; the last answer of a list repeats, an empty list means the good one.

    ``reviews``: by seat (``code_reviewer.1``); None is a context without a valid submission. ``works``: by step, the files
    it leaves (None deletes). ``plan_facts`` and ``work_facts`` change what workers say they saw. ``hooks``: called before a
    kind's answer. ``outcomes``: handed back instead, once each. ``covered``: seats that open nothing are left out of it.
    """

    plans: list[dict[str, Any]] = field(default_factory=list)
    reviews: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    works: dict[str, list[Files]] = field(default_factory=dict)
    plan_facts: list[dict[str, Any]] = field(default_factory=list)
    work_facts: list[dict[str, Any]] = field(default_factory=list)
    step_facts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    blind: set[str] = field(default_factory=set)
    hooks: dict[str, Callable[[Job], object]] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    asked: list[Job] = field(default_factory=list)
    _turns: dict[str, list[str]] = field(default_factory=dict)

    def handlers(self, desk: Desk) -> dict[str, Callable[[Job], Outcome]]:
        """Handlers over a process's parts."""
        at = _Room(desk)
        return {
            JobKind.DRAFT: lambda job: self._do(job, lambda: self._draft(at, job)),
            JobKind.REVIEW: lambda job: self._do(job, lambda: self._review(at, job)),
            JobKind.STEP: lambda job: self._do(job, lambda: self._step(at, job)),
            JobKind.VERIFY: lambda job: self._do(job, lambda: self._verify(at, job)),
        }

    def of(self, kind: str, role: str = "") -> list[Job]:
        """Jobs that were answered, in order."""
        return [job for job in self.asked if job.kind == kind and role in {"", job.role, job.step}]

    def _do(self, job: Job, answer: Callable[[], Outcome]) -> Outcome:
        self.asked.append(job)
        if job.kind in self.hooks:
            self.hooks[job.kind](job)
        planned = self.outcomes.get(job.kind)
        return planned.pop(0) if planned else answer()

    def _turn(self, name: str, job: Job) -> int:
        """How many contexts of that name began before this job's; a job that is done again keeps its number."""
        seen = self._turns.setdefault(name, [])
        if job.id not in seen:
            seen.append(job.id)
        return seen.index(job.id)

    def _pick(self, name: str, job: Job, answers: Sequence[Any], otherwise: Any) -> Any:
        turn = self._turn(name, job)
        return answers[min(turn, len(answers) - 1)] if answers else otherwise

    def _draft(self, at: _Room, job: Job) -> Outcome:
        plan = self._pick("plan", job, self.plans, PLAN)
        facts = at.plan_facts(job, plan) | self._pick("plan facts", job, self.plan_facts, {})
        return Done({"document": at.keep(job, plan), "facts": at.keep(job, facts)})

    def _review(self, at: _Room, job: Job) -> Outcome:
        said = self._pick(job.role, job, self.reviews.get(job.role, []), APPROVE)
        paths = [] if job.role in self.blind else at.paths(job)
        opened = [{"side": s, "path": p, "start_line": 1, "end_line": 10_000} for s in ("base", "head") for p in paths]
        problem = "" if said is not None else "no valid submission in three tries"
        name = "" if said is None else at.keep(job, said)
        return Done({"review": name, "dropped": [], "delivered": at.keep(job, opened), "problem": problem})

    def _step(self, at: _Room, job: Job) -> Outcome:
        every: Files = {"calc.py": FIXED, "tests/test_add.py": NEW_TEST}
        named = at.step_paths(job)
        files = self._pick(f"work {job.step}", job, self.works.get(job.step, []), every)
        files = {path: text for path, text in files.items() if files is not every or path in named}
        patch = at.patch(job, files)
        more = self._pick(f"step {job.step}", job, self.step_facts.get(job.step, []), {})
        work = {"step": job.step, "summary": f"{job.step} is done"}
        found = {"paths": [one["path"] for one in patch["changes"]], "refused": [], "canaries": [], **more}
        return Done({"patch": at.keep(job, patch), "work": at.keep(job, work), **found})

    def _verify(self, at: _Room, job: Job) -> Outcome:
        facts = at.work_facts(job) | self._pick("verify", job, self.work_facts, {})
        return Done({"facts": at.keep(job, facts)})


@dataclass(frozen=True)
class _Room:
    """What an agents' process has at hand."""

    desk: Desk

    def keep(self, job: Job, value: Any) -> str:
        return self.desk.artifacts.put(job.installation_id, canonical(value))

    def load(self, job: Job, name: str) -> bytes:
        return self.desk.artifacts.get(job.installation_id, str(job.payload[name]))

    def snapshot(self, job: Job) -> Snapshot:
        snapshot = Snapshot.model_validate_json(self.load(job, "snapshot"))
        bundle = self.desk.artifacts.path(job.installation_id, snapshot.bundle_sha256)
        self.desk.trees.load(bundle, snapshot.base_tree)
        return snapshot

    def text(self, tree: str, path: str) -> str | None:
        data = self.desk.trees.read(tree, path)
        return None if data is None else data.decode()

    def plan_facts(self, job: Job, plan: Mapping[str, Any]) -> dict[str, Any]:
        base = self.snapshot(job).base_tree
        entries = self.desk.trees.entries(base)
        named = {entry["path"] for step in plan["steps"] for entry in step["paths"]}
        named |= {one["path"] for one in plan["grounds"]} | {one["path"] for one in plan.get("tests", [])}
        cited = []
        for one in plan["grounds"]:
            lines = (self.text(base, one["path"]) or "").splitlines()
            cited.append({**one, "text": "\n".join(lines[one["start_line"] - 1 : one["end_line"]])})
        found = {path: entries[path].model_dump() if path in entries else None for path in sorted(named)}
        return {
            "plan": plan,
            "entries": found,
            "cited": cited,
            "verify_detected": ["pytest"],
            "verify": ["pytest"],
            "guard": [{"command": "pytest", "allowed": True, "rule": "pytest", "reason": "it runs tests"}],
            "runs": [_run({"tests/test_calc.py::test_sub": "passed"})],
            "document_bytes": len(canonical(plan)),
            "body_bytes": 2_000,
        }

    def paths(self, job: Job) -> list[str]:
        """All paths of base and of the code under review."""
        found = set(self.desk.trees.entries(self.snapshot(job).base_tree))
        if job.payload["work_facts"]:
            found |= set(self.desk.trees.entries(self._head(job)))
        return sorted(found)

    def _head(self, job: Job) -> str:
        code = CodeSubject.model_validate_json(self.load(job, "subject"))
        return self._apply(job, code.patch_sha256)

    def _apply(self, job: Job, sha256: str) -> str:
        return self.desk.trees.apply(Patch.model_validate_json(self.desk.artifacts.get(job.installation_id, sha256)))

    def step_paths(self, job: Job) -> set[str]:
        plan = PlanSubject.model_validate_json(self.load(job, "plan")).plan
        return {entry.path for step in plan.steps if step.id == job.step for entry in step.paths}

    def patch(self, job: Job, files: Files) -> dict[str, Any]:
        """The patch of a workspace that began at the job's start tree."""
        base = self.snapshot(job).base_tree
        start = self._apply(job, str(job.payload["start"])) if job.payload["start"] else base
        entries = self.desk.trees.entries(start)
        found = []
        for path, text in sorted(files.items()):
            old = entries.get(path)
            if text == self.text(start, path):
                continue
            content = None if text is None else base64.b64encode(text.encode()).decode()
            change = {"path": path, "mode": "100644", "content": content}
            found.append(change if old is None else {**change, "before": old.blob, "before_mode": old.mode})
        return {"base_tree": start, "changes": found}

    def work_facts(self, job: Job) -> dict[str, Any]:
        base = self.snapshot(job).base_tree
        plan = PlanSubject.model_validate_json(self.load(job, "plan"))
        head = self._apply(job, str(job.payload["patch"]))
        entries, diff = self.desk.trees.entries(head), self.desk.trees.diff(base, head)
        kept = {"tests/test_calc.py::test_sub": "passed"}
        full = {**kept, "tests/test_add.py::test_add": "passed"}
        planted = {"runs": [{**_run({**full, "planted::test": "failed"}), "exit_code": 1}], "planted": "planted::test"}
        changed = [
            {
                "path": one.path,
                "kind": one.kind,
                "old_mode": one.old_mode,
                "new_mode": one.new_mode,
                "size": entries[one.path].size if one.path in entries else 0,
            }
            for one in diff
        ]
        return {
            "plan": plan.plan.model_dump(mode="json"),
            "verify": list(plan.verify),
            "steps": job.payload["steps"],
            "conflicts": job.payload["conflicts"],
            "refused": job.payload["refused"],
            "canaries": job.payload["canaries"],
            "changes": changed,
            "diff": [one.model_dump(mode="json") for one in diff],
            "test_files": [
                {"path": one.path, "role": "test", "kind": one.kind} for one in diff if one.path.startswith("tests/")
            ],
            "base": {"runs": [_run(kept)]},
            "as_is": {"runs": [_run(full)]},
            "base_tests": {"runs": [_run(full)]},
            "planted": {**planted, "planted_failed": True},
            "proofs": [
                {"criterion": one.id, "proof": str(one.proof), "held": True, "detail": ""}
                for one in plan.plan.acceptance
            ],
        }


def _run(tests: Mapping[str, str]) -> dict[str, Any]:
    said = {"exit_code": 0, "timed_out": False, "seconds": 1.0, "output_tail": ""}
    return {"command": "pytest", **said, "tests": dict(tests)}
