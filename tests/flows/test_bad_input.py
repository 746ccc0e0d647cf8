"""Bad input, over the real App: one clear sentence where a person looks, nothing lost, no crash loop."""

from __future__ import annotations

from typing import Any

from tests.harness.flow import ASKED, HAPPY, STOPPED, flow
from tests.harness.scenarios import APPROVE, MODEL, START, calc, plan, says

LINKS_AND_MODES: dict[str, Any] = {
    "link.txt": {"link": "calc.py"},
    "run.sh": {"mode": "100755", "text": "#!/bin/sh\ntrue\n"},
}
LABELLED: dict[str, Any] = {"action": "labeled", "label": {"id": 1, "name": "conductor"}}
FOREIGN: dict[str, Any] = {
    **LABELLED,
    "installation": {"id": 999, "node_id": "x"},
    "repository": {"id": 98, "full_name": "evil/twin", "default_branch": "main", "private": False},
    "sender": {"id": 4_000_001, "login": "ana", "type": "User"},
}


def test_forged_deliveries_strangers_and_readers_start_nothing() -> None:
    scenario = calc(
        {"when": "start", "deliver": {"event": "issues", "payload": LABELLED, "signature": "none"}},
        {"when": "start", "deliver": {"event": "issues", "payload": LABELLED, "signature": "bad"}},
        {"when": "start", "deliver": {"event": "issues", "payload": FOREIGN}},
        {"when": "start", "deliver": {"event": "issues", "payload": "{broken"}},
        {"when": "start", "deliver": {"event": "unheard_of", "payload": {"action": "done"}}},
        says("/conductor plan", by="mallory", when="start", where="issue"),
        says("/conductor plan", by="ana", when="start", where="issue"),
        until="plan.approval",
    )
    scenario["people_do"][0] = {**START, "by": "mallory"}
    # GitHub gives no token for that installation: its delivery ends with the reason, and nothing asks for it again.
    with flow(scenario, dead_deliveries=["installation 999 cannot read evil/twin"]) as seen:
        # One run, ana's.
        assert seen.path == HAPPY[:3]
        assert len({row["run_id"] for row in seen.report["outbox"] if row["run_id"]}) == 1
        seen.expect_comment("Plan ready for approval", "started by `ana`")
        seen.expect_comment("@ana", ASKED)


def test_an_issue_without_a_body_is_worked_on_and_links_and_modes_stay() -> None:
    scenario = calc(APPROVE, files=LINKS_AND_MODES)
    scenario["issue"]["body"] = ""
    with flow(scenario) as seen:
        assert seen.path == HAPPY
        branches = seen.report["github"]["branches"]
        head = seen.report["github"]["pulls"][0]["head"]
        changed = {path for path in branches[head] if branches[head][path] != branches["main"].get(path)}
        assert changed == {"calc.py", "tests/test_add.py"}
        assert branches[head].keys() - branches["main"].keys() == {"tests/test_add.py"}
        assert branches["main"].keys() - branches[head].keys() == set()
        seen.published()


def test_a_repository_without_commits_is_said_to_have_none() -> None:
    scenario = calc(until="needs_human")
    scenario["repo"]["files"] = {}
    with flow(scenario) as seen:
        assert seen.path == ("needs_human",)
        seen.stopped("no commit")


def test_a_configuration_that_does_not_parse_is_named_by_line_and_column() -> None:
    with flow(calc(until="needs_human", config="mode: active\nrounds: [3\n")) as seen:
        assert seen.path == ("needs_human",)
        seen.stopped(".github/conductor.yml", "line", "column")


STEP: dict[str, Any] = {
    "id": "S1",
    "title": "Fix add",
    "intent": "Use plus",
    "paths": [{"path": "calc.py", "use": "edit"}, {"path": "../outside.py", "use": "create"}],
    "covers": ["A1"],
}
# A round of the planner each, with a part of the reason that a person reads for it.
BAD_PLANNERS: dict[str, list[dict[str, Any]]] = {
    "'../outside.py'": plan(steps=[STEP]),
    "in a row without a usable tool call": [{"text": "I think that it is fine as it is."}],
    "60 turns without a submission": [MODEL["planner"][0], {"tool": "delete_everything", "input": {}}],
    "never had the form of a plan": [
        {"tool": "read_file", "input": {"path": 7, "start_line": "one"}},
        {"tool": "submit_plan", "input": {"summary": ["no"], "steps": "none", "surprise": True}},
    ],
    "refus": [{"refusal": True}],
    "400": [{"error": 400}] * 30,
}


def test_a_model_that_does_not_do_its_work_stops_the_run_with_a_reason_each_time() -> None:
    again = says("/conductor retry", when="needs_human", where="issue")
    model = {
        "planner": [*BAD_PLANNERS.values(), plan()],
        "plan_reviewer": [{"text": "Looks good to me!"}],
    }
    with flow(
        calc(*[again] * len(BAD_PLANNERS), until="needs_human", model=model, config={"rounds": 1}, seconds=150)
    ) as seen:
        assert seen.path.count("needs_human") == len(BAD_PLANNERS) + 1
        assert seen.path[-2:] == ("plan.review", "needs_human")
        assert seen.report["github"]["pulls"] == []
        assert seen.report["github"]["branches"].keys() == {"main"}
        for why in BAD_PLANNERS:
            seen.expect_comment(STOPPED, why)
        seen.stopped("no counting review of the plan")
