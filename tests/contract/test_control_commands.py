"""Commands in comments: what each does, what each answers, and how little is said to people who may not command."""

from __future__ import annotations

import json

from tests.harness.house import House
from tests.harness.house_agents import FIXED, NEW_TEST, changes, finding, plan_finding

ONE = "code_reviewer.1"


def test_plan_by_comment_and_answers_about_the_run() -> None:
    with House() as house:
        house.say("/conductor status")
        assert "no run here" in house.comments()[-1]
        house.say("/conductor plan")
        assert house.state == "plan.approval"
        assert house.labels == ["conductor: awaiting approval"], "no start label where none was set"
        house.say("/conductor plan")
        assert len(house.runs()) == 1
        assert house.comments("under way")
        house.say("/conductor status", where="pull")
        (pulled,) = [
            one for one in house.github.snapshot()["comments"] if one["where"] == "pull" and "bot" in one["author"]
        ]
        assert "Its pull request is #8" in pulled["body"]
        house.say("/conductor cost\n\n/conductor ledger\n\n/conductor why F9")
        assert house.comments("It has spent")
        assert house.comments("F9")
        house.say("/conductor why outbox:2")
        assert "is reaction.add on /repos/acme/calc" in house.comments("outbox:2")[-1]
        house.say("/conductor why outbox:99999999999999999999999999")
        assert house.comments("There is no such outbox row")
        house.say("/conductor why state")
        assert house.comments("plan.approval by gate")
        house.say("/conductor retry")
        assert house.comments("needs no retry")
        house.say("/conductor approve now please")
        assert house.comments("I could not read")
        house.say("/conductor frobnicate")
        assert len(house.comments("I could not read")) == 2
        assert house.state == "plan.approval"


def test_help_once_an_hour_and_one_reaction_an_hour_for_others() -> None:
    with House() as house:
        house.github.comment("issue", "/conductor help", by="ana")
        house.say("/conductor help", by="bob")
        assert len(house.comments("Write a command as a line of its own")) == 1
        for _ in range(3):
            house.say("/conductor plan", by="mallory")
        house.say("/conductor help", by="mallory")
        assert house.runs() == []
        assert house.reactions() == ["confused"]
        house.later(3_600)
        house.say("/conductor help", by="ana")
        house.say("/conductor plan", by="mallory")
        assert len(house.comments("Write a command as a line of its own")) == 2
        assert house.reactions() == ["confused", "confused"]
        house.github.label("conductor", by="mallory")
        house.pump()
        assert house.runs() == []


def test_pause_holds_a_run_and_resume_goes_on() -> None:
    with House() as house:
        house.agents.hooks["draft"] = lambda job: house.meanwhile("/conductor pause")
        house.start()
        assert (house.state, house.run.paused) == ("plan.draft", True)
        assert house.labels == ["conductor", "conductor: paused"]
        assert house.comments("Paused")
        house.agents.hooks.clear()
        house.say("/conductor status")
        assert house.comments("It has spent"), "a paused run still answers"
        house.say("/conductor resume", by="bob")
        assert (house.state, house.run.paused) == ("plan.approval", False)
        assert house.labels == ["conductor", "conductor: awaiting approval"]


def test_a_paused_run_takes_no_approval_until_it_resumes() -> None:
    with House() as house:
        house.planned()
        house.say("/conductor pause")
        house.say("/conductor approve")
        assert house.state == "plan.approval"
        house.say("/conductor resume")
        assert house.state == "in_review", house.story()
        house.say("/conductor cancel")
        assert house.state == "cancelled"
        house.say("/conductor pause")
        house.say("/conductor cancel")
        assert len(house.comments("is over")) == 2


def test_a_pause_while_code_is_published_holds_the_code() -> None:
    with House() as house:
        house.planned()
        rounds: list[object] = []

        def pause(job: object) -> None:
            rounds.append(job)
            if len(rounds) == 2:
                house.meanwhile("/conductor pause")

        house.agents.hooks["review"] = pause
        house.say("/conductor approve")
        assert (house.state, house.run.paused) == ("code.review", True)
        assert "conductor: paused" in house.labels
        house.say("/conductor resume")
        assert house.state == "in_review"
        house.say("/conductor pause")
        house.github.merge(by="ana")
        house.pump()
        assert house.state == "done", "what people did to the pull request is no work of ours to hold back"


def test_stop_lets_nothing_out_but_its_reaction_and_resume_goes_on() -> None:
    with House() as house:
        house.agents.hooks["review"] = lambda job: house.meanwhile("/conductor stop")
        house.start()
        house.agents.hooks.clear()
        assert house.state == "plan.review"
        stopped = len(house.github.writes)
        sent = [row for row in house.rows() if row.dedupe_key.startswith("stop:")]
        assert [row.state for row in sent] == ["confirmed"] * len(sent)
        house.say("/conductor status")
        house.say("/conductor resume repository", by="bob")
        house.say("/conductor approve")
        assert len(house.github.writes) == stopped, "nothing is written while stopped"
        assert house.state == "plan.review"
        house.say("/conductor resume repository", by="ana")
        assert house.state == "plan.approval", house.story()
        assert house.comments("needs maintain or admin permission")
        house.say("/conductor stop", by="carl")
        house.say("/conductor approve")
        assert house.state == "in_review", "carl may not stop"


def test_stop_and_resume_while_publishing() -> None:
    with House() as house:
        house.planned()
        calls: list[int] = []

        def stop(job: object) -> None:
            if not calls:
                calls.append(1)
                house.meanwhile("/conductor stop")

        house.agents.hooks["verify"] = stop
        house.say("/conductor approve")
        assert house.state == "code.review"
        assert house.rows("branch.update") == []
        house.say("/conductor resume repository")
        assert house.state == "in_review"


def test_cancel_by_command_label_issue_and_pull_request() -> None:
    with House() as house:
        house.planned()
        house.github.unlabel("conductor", by="bob")
        house.pump()
        assert (house.state, house.labels) == ("cancelled", [])
        assert house.checks("Conductor: plan")[0]["conclusion"] == "cancelled"
        assert house.checks("Conductor: review ledger")[0]["conclusion"] == "cancelled"
        house.planned()
        house.github.close_item("pull", by="bob")
        house.pump()
        assert house.state == "cancelled"
        assert "pull request was closed" in house.run.halt_reason
        house.planned()
        house.github.close_item("issue", by="bob", number=7)
        house.pump()
        assert house.state == "cancelled"
        assert "issue was closed" in house.run.halt_reason
        assert house.labels == []


def test_cancel_while_agents_work_drops_their_result() -> None:
    with House() as house:
        house.agents.hooks["draft"] = lambda job: house.meanwhile("/conductor cancel")
        house.start()
        assert house.state == "cancelled"
        assert house.path() == ["start plan.draft", "cancel cancelled"]
        assert house.agents.of("review") == []


def test_an_issue_closed_and_opened_again_before_it_was_read_cancels_nothing() -> None:
    with House() as house:
        house.planned()
        house.github.close_item("issue", by="bob", number=7)
        house.github.reopen_item("issue", by="bob", number=7)
        house.pump()
        assert house.state == "plan.approval"


def test_people_settle_findings() -> None:
    bad = {"calc.py": f"NUMBERS = 10\n{FIXED}", "tests/test_add.py": NEW_TEST}
    remarks = [finding(line=n, quote=q, title=f"Remark {n}") for n, q in ((1, "NUMBERS = 10"), (3, "return a + b"))]
    with House(config="rounds: 1\n") as house:
        house.agents.works = {"S1": [bad]}
        house.agents.reviews = {ONE: [changes(*remarks), {"verdict": "approve"}]}
        house.planned().say("/conductor approve")
        assert house.state == "needs_human"
        house.say("/conductor justify F1 it may stay", by="mallory")
        house.say("/conductor justify F7 it may stay")
        assert "F7" in house.comments("was not changed")[-1]
        house.say("/conductor withdraw F1 not a finding\n/conductor justify F2 it may stay")
        assert {name: row.status for name, row in house.findings().items()} == {"F1": "withdrawn", "F2": "justified"}
        house.say("/conductor withdraw F1 again")
        assert "already" in house.comments("was not changed")[-1]
        house.say("/conductor why F2")
        assert "@ana moved F2 from open to justified" in house.comments("moved F2")[-1]
        house.say("/conductor ledger", where="pull")
        assert house.comments("it may stay")
        house.say("/conductor retry")
        assert house.state == "in_review"


def test_a_finding_settled_by_a_person_while_the_stage_drafts_is_not_told_again() -> None:
    with House() as house:
        house.agents.reviews = {"plan_reviewer.1": [changes(plan_finding()), {"verdict": "approve"}]}
        calls: list[int] = []

        def settle(job: object) -> None:
            calls.append(1)
            if len(calls) == 2:
                house.meanwhile("/conductor withdraw F1 no")

        house.agents.hooks["draft"] = settle
        house.start()
        assert house.state == "plan.approval", house.story()
        assert house.findings()["F1"].status == "withdrawn"


def test_starts_and_revises_are_counted_over_cancel_and_relabel() -> None:
    with House(limits={"starts_per_day": 3}) as house:
        house.planned()
        house.say("/conductor revise one")
        house.say("/conductor revise two")
        house.say("/conductor revise three")
        assert len(house.agents.of("draft")) == 3
        assert "which is the limit" in house.comments()[-1] or house.comments("which is the limit")
        house.say("/conductor revise four", by="bob")
        assert len(house.agents.of("draft")) == 4, "another person has a count of their own"
        house.later(86_400)
        house.say("/conductor revise five")
        assert len(house.agents.of("draft")) == 5


def test_a_revise_is_answered_where_it_cannot_be_done() -> None:
    with House() as house:
        house.agents.hooks["review"] = lambda job: house.meanwhile("/conductor revise no")
        house.start()
        assert house.comments("cannot be revised now")


def test_a_review_that_requests_changes_of_a_waiting_plan_is_a_revise() -> None:
    with House() as house:
        house.planned()
        house.github.review("request_changes", "Say more.", [], by="mallory")
        house.pump()
        assert len(house.agents.of("draft")) == 1
        house.github.review("request_changes", "Say more.", [], by="bob")
        house.pump()
        assert house.agents.of("draft")[-1].payload["revision"] == "Say more."
        assert house.state == "plan.approval"


def test_every_answer_is_a_row_of_the_outbox() -> None:
    with House() as house:
        house.planned()
        for word in ("status", "cost", "ledger", "help", "why state", "stop now"):
            house.say(f"/conductor {word}")
        bodies = {json.loads(row.payload)["body"] for row in house.rows("comment.create")}
        assert set(house.comments()) - bodies == set(house.comments("Plan ready for approval"))
