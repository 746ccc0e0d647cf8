"""What comes back from people and CI after publishing, and publishing to a CI that holds secrets."""

from __future__ import annotations

import hashlib
from collections import Counter
from unittest import mock

import pytest

from bot.adapters.github_writer import GitHubAppWriter
from bot.domain.outcome import NeedsHuman
from bot.ports.github import Approved, GitHubBusy, OutboxWrite, Sent
from bot.simulator.github.faults import Fault
from tests.harness.house import House
from tests.harness.house_agents import FILES, FIXED, NEW_TEST, PLAN, fixed

SECRETS = "on: pull_request\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n        env:\n          KEY: ${{ secrets.KEY }}\n"
PLAIN = "on: pull_request\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"
WORKFLOW = ".github/workflows/ci.yml"
ONE, TWO = "code_reviewer.1", "code_reviewer.2"
BETTER = f"LIMIT = 100\n{FIXED}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def better(house: House, *names: str) -> None:
    """The second round mends these findings, and both reviewers say so."""
    first = {"calc.py": FIXED, "tests/test_add.py": NEW_TEST}
    house.agents.works = {"S1": [first, {**first, "calc.py": BETTER}]}
    said = {"verdict": "approve", "resolutions": [fixed(name, 1, "LIMIT = 100") for name in names]}
    house.agents.reviews = {seat: [{"verdict": "approve"}, said] for seat in (ONE, TWO)}


def test_a_persons_review_is_a_finding_and_the_answer_is_a_child_commit() -> None:
    with House() as house:
        better(house, "F1", "F2")
        house.published()
        first = house.rows("branch.update")[0].response["sha"]
        house.github.review(
            "request_changes", "Bound it.", [{"path": "calc.py", "line": 2, "body": "a limit"}], by="bob"
        )
        house.pump()
        assert house.path()[7:] == [
            "feedback code.draft",
            "code.draft code.review",
            "code.unattended publishing",
            "published in_review",
        ]
        rows = house.findings()
        assert {row.source for row in rows.values()} == {"human"}
        assert {row.title for row in rows.values()} == {"Bound it.", "a limit"}
        assert any("Bound it." in one for one in house.agents.of("step")[-1].payload["feedback"])
        second = house.rows("branch.update")[1].response["sha"]
        git = house.github._within().git
        assert git.commit(second).parents == (first,) or list(git.commit(second).parents) == [first]
        assert house.branch()["calc.py"] == digest(BETTER)
        assert [one["head_sha"] for one in house.checks("Conductor: review ledger")][-1] == second
        assert house.labels == ["conductor", "conductor: in review"]


def test_reviews_that_ask_for_nothing_or_by_readers_change_nothing() -> None:
    with House() as house:
        house.published()
        house.github.review("approve", "Nice", [], by="bob")
        house.github.review("request_changes", "No!", [], by="mallory")
        house.github.review("comment", "I only look", [], by="carl")
        house.pump()
        assert house.state == "in_review"
        assert house.findings() == {}


def test_a_comment_on_a_path_outside_the_plan_is_answered() -> None:
    with House() as house:
        house.published()
        house.github.review("comment", "", [{"path": "tests/test_calc.py", "line": 1, "body": "rename"}], by="bob")
        house.pump()
        assert house.state == "in_review"
        assert house.findings() == {}
        assert "tests/test_calc.py" in house.comments("outside the approved plan")[-1]


def test_rework_after_publishing_is_bounded() -> None:
    with House(config="rounds: 1\n") as house:
        better(house, "F1")
        house.published()
        house.github.review("request_changes", "Bound it.", [], by="bob")
        house.pump()
        if house.state == "needs_human":
            house.say("/conductor justify F1 it is bounded")
            house.say("/conductor retry")
        assert house.state == "in_review", house.story()
        house.github.review("request_changes", "Once more.", [], by="bob")
        house.pump()
        assert house.state == "needs_human"
        assert "rounds of rework after publishing" in house.run.halt_reason
        house.say("/conductor withdraw F2 no")
        house.say("/conductor retry")
        assert house.state == "in_review", house.story()


def test_only_a_failing_check_that_counts_comes_back() -> None:
    with House(config="ci: [unit]\n") as house:
        house.github.protect("main", ["lint"])
        better(house, "F1")
        base = house.github._within().branch("main")
        house.github.add_check_run("lint", "failure", head_sha=base)
        house.published()
        house.github.add_check_run("nightly", "failure", "boom")
        house.github.add_check_run("unit", "success")
        house.github.add_check_run("lint", "failure", "fails on base, too")
        house.pump()
        assert house.state == "in_review"
        assert house.findings() == {}
        house.github.add_check_run("unit", "failure", output={"title": "1 failed", "summary": "test_add: 3 != 4"})
        house.pump()
        row = house.findings()["F1"]
        assert (row.source, row.title) == ("ci", "The check unit ended failure")
        assert "feedback code.draft" in house.path()
        assert "3 != 4" in house.agents.of("step")[-1].payload["feedback"][0]


def test_a_foreign_push_makes_the_ledger_check_fail_on_that_head() -> None:
    with House() as house:
        house.published()
        sha = house.github.push(None, {"calc.py": "evil = 1\n"}, by="bob")
        house.pump()
        found = [one for one in house.checks("Conductor: review ledger") if one["head_sha"] == sha]
        assert [one["conclusion"] for one in found] == ["failure"]
        assert sha in found[0]["title"]
        house.github.review("request_changes", "Bound it.", [], by="bob")
        better(house, "F1")
        house.agents.works["S1"] = house.agents.works["S1"][1:]
        house.agents.reviews = {seat: said[1:] for seat, said in house.agents.reviews.items()}
        house.dead |= {"branch.update"}
        house.pump()
        assert house.state == "needs_human", house.story()
        assert house.branch()["calc.py"] == digest("evil = 1\n"), "what others pushed is never overwritten"


def test_a_ci_with_secrets_waits_for_a_person_who_sees_the_diff() -> None:
    with House(files={**FILES, WORKFLOW: SECRETS}) as house:
        house.planned().say("/conductor approve")
        assert house.state == "code.approval", house.story()
        assert house.rows("branch.update") == []
        shown = house.checks("Conductor: plan")[-1]
        assert shown["conclusion"] == "action_required"
        assert "+    return a + b" in shown["summary"]
        assert len(house.comments("@ana")) == 2
        house.say("/conductor approve", by="mallory")
        assert house.state == "code.approval"
        house.say("/conductor approve 12345678")
        assert house.state == "code.approval"
        house.say("/conductor approve", by="bob")
        assert house.state == "in_review"
        assert [(one.stage, one.by_login) for one in house.approvals()] == [("plan", "ana"), ("code", "bob")]
        assert house.branch()["calc.py"] == digest(FIXED)


def test_the_button_approves_the_diff_and_a_revise_takes_it_back() -> None:
    with House(files={**FILES, WORKFLOW: SECRETS}) as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Sum both"}]
        house.planned().say("/conductor approve")
        house.say("/conductor revise say it better")
        assert house.state == "plan.approval"
        assert house.rows("branch.update") == []
        assert "Sum both" in house.pull["body"]
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "code.approval"
        house.github.press("Approve", by="bob")
        house.pump()
        assert house.state == "in_review"


def test_publish_auto_and_a_ci_without_secrets_need_no_second_approval() -> None:
    with House(files={**FILES, WORKFLOW: SECRETS}, config="publish: auto\n") as house:
        house.published()
        assert [one.stage for one in house.approvals()] == ["plan"]
    with House(files={**FILES, WORKFLOW: PLAIN}) as house:
        house.published()
        assert [one.stage for one in house.approvals()] == ["plan"]


def test_publish_approval_always_asks() -> None:
    with House(config="publish: approval\n") as house:
        house.planned().say("/conductor approve")
        assert house.state == "code.approval"
        house.say("/conductor cancel")
        assert house.state == "cancelled"
        assert [one["conclusion"] for one in house.checks("Conductor: plan")] == ["cancelled"]


def test_retry_behind_an_approval_only_while_it_covers_the_plan() -> None:
    with House() as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Sum both"}]
        house.agents.outcomes["verify"] = [NeedsHuman("no sandbox")]
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        house.say("/conductor revise again")
        assert house.state == "plan.approval"
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()


def test_code_that_goes_back_to_what_it_was_is_published() -> None:
    with House() as house:
        first = {"calc.py": FIXED, "tests/test_add.py": NEW_TEST}
        house.agents.works = {"S1": [first, {**first, "calc.py": BETTER}, first]}
        said = {"verdict": "approve", "resolutions": [fixed("F1", 1, "LIMIT = 100")]}
        house.agents.reviews = {seat: [{"verdict": "approve"}, said, {"verdict": "approve"}] for seat in (ONE, TWO)}
        house.published()
        house.github.review("request_changes", "Bound it.", [], by="bob")
        house.pump()
        assert house.branch()["calc.py"] == digest(BETTER), house.story()
        house.agents.hooks["step"] = lambda job: house.meanwhile("/conductor withdraw F2 it is done")
        house.github.review("request_changes", "No, take the limit out again.", [], by="bob")
        house.pump()
        assert house.state == "in_review", house.story()
        assert house.branch()["calc.py"] == digest(FIXED), [row.dedupe_key for row in house.rows("branch.update")]


@pytest.mark.parametrize("is_delivered", [True, False])
def test_a_review_of_published_code_counts_while_rows_about_it_still_go_out(is_delivered: bool) -> None:
    with House() as house:
        better(house, "F1")
        house.planned()
        house.github.faults.append(Fault("POST /repos/*/requested_reviewers", status=403, retry_after=600))
        if not is_delivered:
            house.github.faults.append(Fault("DELIVER pull_request_review.submitted", drop=True))
        said, send = list[int](), GitHubAppWriter.send

        def sent(writer: GitHubAppWriter, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
            if write.value.kind == "review.request" and not said:
                said.append(write.value.row_id)
                house.github.review("request_changes", "Bound it.", [], by="bob")
            return send(writer, write, retry=retry)

        with mock.patch.object(GitHubAppWriter, "send", sent):
            house.say("/conductor approve")
        for _ in range(4):
            house.later(3600)
        assert said
        assert len(house.findings()) == 1, house.story()
        assert house.branch()["calc.py"] == digest(BETTER)


def test_annotations_whose_answer_was_lost_are_there_once() -> None:
    """GitHub appends those of each update."""
    lost, send = list[int](), GitHubAppWriter.send

    def sent(writer: GitHubAppWriter, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
        answer = send(writer, write, retry=retry)
        if write.value.kind == "check_run.update" and b'"annotations"' in write.value.body and not lost:
            lost.append(write.value.row_id)
            raise GitHubBusy("GitHub did not answer as it should (502)", {"status": "502"})
        return answer

    with House() as house, mock.patch.object(GitHubAppWriter, "send", sent):
        house.published()
        house.github.review(
            "request_changes", "Bound it.", [{"path": "calc.py", "line": 2, "body": "a limit"}], by="bob"
        )
        house.pump()
        assert lost, house.story()
        for check in house.checks("Conductor: review ledger"):
            assert set(Counter(str(one) for one in check["annotations"]).values()) <= {1}, check["annotations"]
        assert [row.state for row in house.rows("check_run.update") if row.id in lost] == ["confirmed"]
