"""A reviewer's context: evidence and coverage are checked by code, and nothing it has can write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.domain.facts import Delivered
from bot.domain.outcome import Done
from bot.domain.plan import Plan
from bot.domain.repo_config import Models
from bot.gates.coverage import uncovered, uncovered_citations
from bot.ports import records as r
from tests.unit.test_agents_implementing import FIXED, GOOD, NEW_TEST
from tests.unit.test_agents_world import CALC, PLAN, World, sandbox, say, use, world
from workers.agents.desk import AgentLimits
from workers.agents.reviewing import model_for, review
from workers.sandbox.box import Sandbox

__all__ = ["sandbox"]

APPROVE = use("submit_review", verdict="approve", findings=[], resolutions=[])
READ = use("read_file", path="calc.py")


def finding(*evidence: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "It is wrong",
        "severity": "major",
        "category": "correctness",
        "claim": "It does not hold.",
        "evidence": list(evidence),
    }


def changes(*evidence: dict[str, Any], **more: Any) -> dict[str, Any]:
    return use("submit_review", verdict="changes_requested", findings=[finding(*evidence)], resolutions=[], **more)


PROVEN = {"pointer": "/steps/0/intent", "quote": "Use plus."}
MADE_UP = {"path": "calc.py", "start_line": 1, "end_line": 2, "quote": "return a * b or so"}


def plan_review(here: World, role: str = "plan_reviewer.1", **payload: Any) -> r.Job:
    return here.job(
        "review", role, {"subject": here.subject(), "ledger": [], "work_facts": "", "plan_facts": "", **payload}
    )


def code_review(here: World, **payload: Any) -> r.Job:
    given = {"subject": here.code(dict(GOOD)), "ledger": [], "work_facts": "", "plan_facts": "", **payload}
    return here.job("review", "code_reviewer.2", given)


def delivered(here: World, outcome: Done) -> list[Delivered]:
    return [Delivered.model_validate(one) for one in here.load(outcome.result["delivered"])]


def test_a_plan_is_approved_by_who_opened_its_citations(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [READ, APPROVE]
        outcome = review(here.desk, plan_review(here))
        assert isinstance(outcome, Done)
        assert here.load(outcome.result["review"])["verdict"] == "approve"
        assert (outcome.result["dropped"], outcome.result["problem"]) == ([], "")
        assert uncovered_citations(Plan.model_validate(PLAN), delivered(here, outcome)) == ()
        assert here.model.asked[0].user_id == "R1:plan_reviewer.1:1:-:J1"
        assert "add subtracts" in here.model.text


def test_an_approval_of_what_was_not_opened_is_sent_back(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("read_file", path="calc.py", end_line=1), APPROVE, READ, APPROVE]
        outcome = review(here.desk, plan_review(here))
        assert isinstance(outcome, Done)
        assert "calc.py line 2 (base)" in here.model.results()[1]["content"]
        assert outcome.result["review"]


def test_an_unproven_review_is_sent_back_three_times(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [changes(PROVEN, MADE_UP)]
        outcome = review(here.desk, plan_review(here))
        assert isinstance(outcome, Done)
        assert len(here.model.asked) == 4
        assert here.load(outcome.result["review"])["findings"][0]["evidence"][1]["quote"] == MADE_UP["quote"]
        assert isinstance(outcome.result["dropped"], list)
        assert len(outcome.result["dropped"]) == 3
        assert "findings/0/evidence/1" in here.model.results()[0]["content"]


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        ((), "has no evidence"),
        (({"path": "calc.py", "start_line": 1, "end_line": 1, "quote": "def add(a, b):"},), "carries no pointer"),
        (({"pointer": "/steps/9", "quote": "Use plus."},), "does not resolve"),
        (({"pointer": "/summary", "quote": "Use plus."},), "does not stand in that value"),
    ],
)
def test_what_is_wrong_with_a_finding_is_said(tmp_path: Path, sandbox: Sandbox, evidence: Any, why: str) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [changes(*evidence), changes(PROVEN)]
        assert isinstance(review(here.desk, plan_review(here)), Done)
        assert why in here.model.results()[0]["content"]


def test_a_resolution_is_about_a_finding_that_was_shown(tmp_path: Path, sandbox: Sandbox) -> None:
    def resolving(name: str) -> dict[str, Any]:
        resolution = {"finding": name, "status": "withdrawn", "reason": "it was mistaken", "evidence": [PROVEN]}
        return use("submit_review", verdict="approve", findings=[], resolutions=[resolution])

    with world(tmp_path, sandbox) as here:
        here.model.turns = [READ, resolving("F9"), resolving("F1")]
        outcome = review(here.desk, plan_review(here, ledger=[{"id": "F1", "title": "Something was off"}]))
        assert isinstance(outcome, Done)
        assert "F9, which you were not shown" in here.model.results()[1]["content"]
        assert "Something was off" in here.model.text


def test_the_first_round_holds_the_artifact_and_nobody_s_claims(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("read_diff"), APPROVE]
        assert isinstance(review(here.desk, code_review(here)), Done)
        assert "earlier findings" not in here.model.text
        assert "add adds now" not in here.model.text


def test_a_diff_is_read_whole_and_approved(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [APPROVE, use("read_diff"), APPROVE]
        job = code_review(here)
        outcome = review(here.desk, job)
        assert isinstance(outcome, Done)
        assert "what was never opened: calc.py line 2 (base)" in here.model.results()[0]["content"]
        code = here.load(job.payload["subject"])
        diff = here.desk.trees.diff(code["base_tree"], code["tree"])
        assert uncovered(diff, delivered(here, outcome)) == ()
        assert here.model.results()[1]["content"] == (
            "--- calc.py (modified, mode 100644 -> 100644)\n"
            "@@ -1,5 +1,5 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n \n \n def sub(a, b):\n"
            "--- tests/test_add.py (added, mode - -> 100644)\n"
            "@@ -0,0 +1,5 @@\n" + "\n".join("+" + line for line in NEW_TEST.splitlines())
        )


def test_both_sides_of_a_file_can_be_read(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [
            [use("read_file", path="calc.py", rev="base"), READ, use("read_file", path="calc.py", rev="main")],
            [
                use("read_diff", path="tests/test_add.py"),
                use("read_diff", path="pyproject.toml"),
                use("search", pattern="a [+] b"),
            ],
            APPROVE,
        ]
        outcome = review(here.desk, code_review(here))
        assert isinstance(outcome, Done)
        said = [one["content"] for one in here.model.results()]
        assert "2:     return a - b" in said[0]
        assert "2:     return a + b" in said[1]
        assert "rev" in said[2]
        assert "did not change" in said[4]
        assert said[5] == "calc.py:2:     return a + b"
        assert outcome.result["review"]


def test_a_long_diff_comes_in_pieces_that_count(tmp_path: Path, sandbox: Sandbox) -> None:
    long = "".join(f"line {number} of a long file that is all new here\n" for number in range(6_000))
    with world(tmp_path, sandbox) as here:
        job = code_review(here, subject=here.code({"long.txt": long}))
        reads = [use("read_file", path="long.txt", start_line=first) for first in range(1, 6_001, 1_000)]
        here.model.turns = [use("read_diff"), APPROVE, reads, APPROVE]
        outcome = review(here.desk, job)
        assert isinstance(outcome, Done)
        assert here.calls()[1].rule == "submission.invalid"
        assert here.calls()[-1].rule == "submission.accepted"


def test_a_secret_of_many_lines_counts_as_delivered(tmp_path: Path, sandbox: Sandbox) -> None:
    key = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *["MIIEowx7Qz9" * 5] * 6, "-----END RSA PRIVATE KEY-----"])
    with world(tmp_path, sandbox) as here:
        subject = here.code({"key.txt": f"before\n{key}\nafter it all\n"})
        quote = {"path": "key.txt", "start_line": 3, "end_line": 3, "quote": "after it all"}
        here.model.turns = [use("read_file", path="key.txt"), APPROVE, use("read_diff"), changes(quote)]
        outcome = review(here.desk, code_review(here, subject=subject))
        assert isinstance(outcome, Done)
        assert here.calls()[1].rule == "submission.accepted"
        assert "MIIEow" not in here.model.text


@pytest.mark.parametrize("turn", [say("no tools"), use("list_files")])
def test_a_reviewer_without_a_submission_is_no_review(tmp_path: Path, sandbox: Sandbox, turn: Any) -> None:
    with world(tmp_path, sandbox, limits=AgentLimits(turns=5)) as here:
        here.model.turns = [turn]
        outcome = review(here.desk, plan_review(here))
        assert isinstance(outcome, Done)
        assert outcome.result["review"] == ""
        assert "came to no end" in str(outcome.result["problem"])


def test_a_refusal_is_no_review(tmp_path: Path, sandbox: Sandbox) -> None:
    refusal = {
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": "refusal",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    with world(tmp_path, sandbox) as here:
        here.model.turns = [refusal]
        outcome = review(here.desk, plan_review(here))
        assert isinstance(outcome, Done)
        assert (outcome.result["review"], outcome.result["declined"]) == ("", True)
        assert outcome.result["model"] == here.model.asked[0].model
        assert "refused to work as the plan_reviewer.1" in str(outcome.result["problem"])


def test_who_declined_is_followed_by_the_next_model_that_is_named() -> None:
    models = Models.model_validate({"reviewer": ["a-1", "b-1"], "planner": "c-1"})
    assert model_for(models, 1, [], "d-1") == "a-1"
    assert model_for(models, 2, [], "d-1") == "b-1"
    assert model_for(models, 1, ["a-1"], "d-1") == "b-1"
    assert model_for(models, 2, ["b-1"], "d-1") == "a-1"
    assert model_for(models, 1, ["a-1", "b-1"], "d-1") == "c-1"
    assert model_for(models, 1, ["a-1", "b-1", "c-1"], "d-1") == "d-1"
    assert model_for(models, 1, ["a-1", "b-1", "c-1", "d-1"], "d-1") == "a-1"
    assert model_for(Models(), 1, [], "d-1") == "d-1"
    assert model_for(Models(), 1, ["d-1"], "d-1") == "d-1"


def test_reviewers_cannot_write(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [
            [
                use("write_file", path="calc.py", content="x"),
                use("edit_file", path="calc.py", old=FIXED, new="x"),
                use("run", command="echo x > calc.py"),
                use("run", command="touch new"),
                use("run", command="sed -i s/a/b/ calc.py"),
                use("run", command="cat calc.py"),
            ],
            [READ, use("read_file", path="calc.py", rev="base")],
            APPROVE,
        ]
        assert isinstance(review(here.desk, code_review(here)), Done)
        calls = here.calls()
        assert [one.decision for one in calls[:6]] == ["deny"] * 5 + ["allow"]
        assert "return a + b" in calls[5].output
        assert "return a + b" in calls[6].output
        assert CALC["calc.py"].splitlines()[1].strip() in calls[7].output


def test_the_tree_is_read_only_whatever_the_guard_says(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.guard import Decision
    from workers.tools import running

    monkeypatch.setattr(running, "judge", lambda command, _: Decision(command, "allow", "test", "test"))
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("run", command="echo x > calc.py; rm -r tests; touch y"), READ, APPROVE]
        assert isinstance(review(here.desk, plan_review(here)), Done)
        assert here.calls()[0].output.count("Read-only file system") == 3
        assert "return a - b" in here.calls()[1].output
