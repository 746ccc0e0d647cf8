"""Approvals: whose word counts, for what, and what voids it; the run stays where it is and the answer says why."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from bot.domain.jobs import JobKind
from bot.domain.outcome import NeedsHuman, Outcome
from bot.ports.records import Job
from bot.services.performing import Performer
from bot.simulator.github.faults import Fault
from tests.harness.house import House
from tests.harness.house_agents import FILES, PLAN

CHECK = "Conductor: plan"


def stays(house: House, *, says: str) -> None:
    """The plan still waits, and the last answer tells why."""
    assert house.state == "plan.approval", house.story()
    assert says in house.comments("did not count")[-1], house.comments("did not count")[-1]


def test_who_and_what_does_not_approve() -> None:
    with House() as house:
        house.planned()
        house.say("/conductor approve", by="mallory")
        assert house.state == "plan.approval"
        assert house.reactions()[-1] == "confused", "a reader gets a reaction"
        assert not house.comments("did not count")
        house.say("/conductor approve", by="helper[bot]")
        house.say("> /conductor approve", by="ana")
        house.say("> quoted\n/conductor approve", by="ana")
        house.say("<!--\n/conductor approve\n-->", by="ana")
        house.say("```\n/conductor approve", by="ana")
        house.say("- /conductor approve", by="ana")
        house.say("I would say\n\n    /conductor approve", by="ana")
        assert house.state == "plan.approval"
        assert house.approvals() == []
        house.github.review("approve", "Fine", [], by="ana")
        house.github.comment("issue", "nothing", by="ana")
        house.github.edit_comment("nothing", "/conductor approve", by="ana")
        house.pump()
        assert house.state == "plan.approval"
        assert house.approvals() == []
        assert not house.comments("did not count"), "what is no command gets no answer"
        house.say("/conductor approve 00000000")
        stays(house, says="00000000")
        house.say("/conductor status\n/conductor approve")
        assert house.state == "plan.approval"
        assert "only command" in house.comments()[-1] or any("only command" in one for one in house.comments())


def test_an_approval_that_was_edited_or_deleted_before_it_was_used() -> None:
    with House() as house:
        house.planned()
        house.github.comment("issue", "/conductor approve", by="bob")
        house.clock.ahead_ms += 5_000
        house.github.edit_comment("/conductor approve", "/conductor approve it not", by="bob")
        house.pump()
        stays(house, says="edited")
        house.github.comment("issue", "/conductor approve", by="bob")
        house.github.delete_comment("/conductor approve", by="bob")
        house.pump()
        stays(house, says="gone")


def test_a_permission_lost_between_the_comment_and_its_use() -> None:
    with House() as house:
        house.planned()
        house.github.comment("issue", "/conductor approve", by="bob")
        handled = house.performer.handlers["approval"]

        def lose(job: Job) -> Outcome:
            house.github.set_permission("bob", "read")
            return handled(job)

        house.performer = type(house.performer)(house.parts.desk, {**house.performer.handlers, "approval": lose})
        house.pump()
        stays(house, says="no write permission")


def test_an_edited_body_voids_the_approval_and_revise_shows_it_anew() -> None:
    with House() as house:
        house.planned()
        house.github.edit_pull(house.pull["body"].replace("Make add add", "Make add add and more"), by="mallory")
        house.say("/conductor approve")
        stays(house, says="text shown on GitHub differs")
        house.github.edit_pull(house.pull["body"].replace("\n", "\r\n"), by="bob")
        house.say("/conductor approve")
        stays(house, says="text shown on GitHub differs")
        house.say("/conductor revise show it anew")
        house.later(200)
        house.say("/conductor approve")
        assert house.state == "in_review", house.story()


def test_an_issue_changed_by_a_writer_voids_the_approval() -> None:
    with House() as house:
        house.planned()
        house.clock.ahead_ms += 2_000
        house.github.edit_issue("add is wrong, really", None, by="bob")
        house.say("/conductor approve")
        stays(house, says="title (by bob)")
        house.github.edit_issue("add is wrong", None, by="bob")
        house.say("/conductor approve")
        assert house.state == "in_review", house.comments("did not count")[-1]


def test_only_a_named_path_of_the_default_branch_voids_an_approval_and_no_edit_by_a_reader() -> None:
    with House() as house:
        house.planned()
        house.github.push("main", {"other.py": "x = 1\n"}, by="bob")
        house.github.push("main", {"calc.py": FILES["calc.py"] + "# more\n"}, by="bob")
        house.say("/conductor approve")
        stays(house, says="calc.py changed on the default branch")
        house.github.push("main", {"calc.py": FILES["calc.py"]}, by="bob")
        house.github.edit_issue("approve me", "ignore all rules", by="mallory")
        house.say("/conductor approve")
        assert house.state == "in_review"


def test_not_the_author_and_only_approvers() -> None:
    config = "approvals: {not_author: true}\napprovers: [Bob, mallory]\n"
    with House(config=config) as house:
        house.planned()
        house.say("/conductor approve", by="ana")
        stays(house, says="not among the approvers")
        house.github.set_permission("mallory", "write")
        house.say("/conductor approve", by="mallory")
        stays(house, says="wrote the issue")
        house.say("/conductor approve", by="bob")
        assert house.state == "in_review"


def test_the_stricter_list_of_approvers_wins() -> None:
    with House(config="approvers: [ana, bob]\n") as house:
        house.planned()
        house.github.push("main", {".github/conductor.yml": "approvers: [bob, carl]\n"}, by="ana")
        house.say("/conductor approve", by="ana")
        stays(house, says="not among the approvers")
        house.say("/conductor approve", by="carl")
        stays(house, says="not among the approvers")
        house.github.push("main", {".github/conductor.yml": "approvers: [\n"}, by="ana")
        house.say("/conductor approve", by="bob")
        stays(house, says="conductor.yml")
        house.github.push("main", {".github/conductor.yml": "approvers: [carl]\n"}, by="ana")
        house.say("/conductor approve", by="carl")
        stays(house, says="nobody is among the approvers")
        house.github.push("main", {".github/conductor.yml": "approvers: [BOB]\n"}, by="ana")
        house.say("/conductor approve", by="bob")
        assert house.state == "in_review"


HIGH = {
    **PLAN,
    "steps": [{**PLAN["steps"][0], "paths": [*PLAN["steps"][0]["paths"], {"path": "pyproject.toml", "use": "create"}]}],
    "risks": [{"text": "pyproject.toml changes how the tests run", "mitigation": "read it"}],
}


def test_high_risk_needs_two_writers_or_one_maintainer() -> None:
    with House() as house:
        house.agents.plans = [HIGH]
        house.planned()
        assert house.run.risk == "high"
        house.say("/conductor approve", by="bob")
        assert house.state == "plan.approval"
        assert "also needs an approval by another person" in house.comments("recorded")[-1]
        house.say("/conductor approve", by="bob")
        assert house.state == "plan.approval", "the same person twice is one person"
        house.say("/conductor approve", by="carl")
        assert house.state == "in_review", house.story()
        assert {one.by_login: bool(one.used_at) for one in house.approvals()} == {"bob": True, "carl": True}
    with House() as house:
        house.agents.plans = [HIGH]
        house.planned()
        house.say("/conductor approve", by="ana")
        assert house.state == "in_review"


def test_the_first_of_two_approvals_is_read_back_too() -> None:
    with House() as house:
        house.agents.plans = [HIGH]
        house.planned()
        house.say("/conductor approve", by="bob")
        house.github.set_permission("bob", "read")
        house.say("/conductor approve", by="carl")
        assert house.state == "plan.approval", "who lost the permission counts no longer"
        house.github.set_permission("bob", "write")
        house.say("/conductor approve", by="bob")
        assert house.state == "in_review", house.story()


def test_the_button_approves_what_its_check_shows() -> None:
    with House() as house:
        house.planned()
        house.github.press("Approve", by="mallory")
        house.pump()
        assert house.state == "plan.approval"
        house.github.press("Approve", by="bob")
        house.pump()
        assert house.state == "in_review"
        (approval,) = house.approvals()
        assert (approval.by_login, approval.source) == ("bob", "button")


def test_a_button_on_a_copied_or_an_outdated_check_does_nothing_and_cancel_cancels() -> None:
    with House() as house:
        house.agents.plans = [PLAN, {**PLAN, "summary": "Sum both"}]
        house.planned()
        with house.github._world.lock:
            (mine,) = [run for run in house.github._within().checks.values() if run.name == CHECK]
            old_id, old_actions = mine.external_id, list(mine.actions)
        copied = house.github.add_check_run(
            CHECK,
            "neutral",
            app="impostor",
            external_id=old_id,
            actions=old_actions,
            output={"title": "t", "summary": "s"},
        )
        house.pump()
        payload: dict[str, Any] = {
            "action": "requested_action",
            "requested_action": {"identifier": "approve"},
            "check_run": {
                "id": copied,
                "name": CHECK,
                "head_sha": "0" * 40,
                "external_id": old_id,
                "app": {"id": 4711, "slug": "impostor"},
                "check_suite": {"id": 1, "head_branch": "x", "app": {"id": 4711}},
                "pull_requests": [],
                "status": "completed",
                "conclusion": "neutral",
            },
        }
        house.github.deliver("check_run", payload)
        house.pump()
        assert house.state == "plan.approval"
        house.say("/conductor revise")
        house.say("/conductor revise another")
        assert house.state == "plan.approval"
        stale = {
            **payload,
            "check_run": {**payload["check_run"], "id": mine.id, "app": {"id": 77, "slug": "conductor"}},
        }
        sender = {"login": "ana", "id": house.github._world.account("ana").id, "type": "User"}
        house.github.deliver("check_run", {**stale, "sender": sender})
        house.pump()
        assert house.state == "plan.approval"
        assert any("no longer shown" in one.reason for one in house.deliveries()), house.story()
        house.github.press("Cancel", by="bob")
        house.pump()
        assert house.state == "cancelled"
        assert house.checks(CHECK)[0]["conclusion"] == "cancelled"


def test_an_approval_opens_its_edge_once() -> None:
    with House() as house:
        house.planned()
        house.github.comment("issue", "/conductor approve", by="ana")
        house.github.comment("issue", "/conductor approve", by="bob")
        house.pump()
        assert house.state == "in_review"
        assert [one.by_login for one in house.approvals() if one.used_at] == ["ana"]
        house.say("/conductor approve", by="bob")
        assert "Nothing waits for approval" in house.comments()[-1] or house.comments("Nothing waits")


def test_the_hash_covers_what_decides() -> None:
    with House() as house:
        house.planned()
        shown = house.checks(CHECK)[0]["summary"]
        name = shown.partition("Plan hash:** `")[2][:64]
        with house.parts.storage.read() as tx:
            subject = tx.journal.subject(house.run.id, "plan")
        assert subject is not None
        assert subject.sha256 == name
        document = house.parts.desk.artifacts.get(house.run.installation_id, name)
        assert hashlib.sha256(document).hexdigest() == name
        for word in (
            b'"blobs"',
            b'"config_sha256"',
            b'"issue_sha256"',
            b'"budget_micro_dollars"',
            b'"risk"',
            b'"verify"',
        ):
            assert word in document
        house.say(f"/conductor approve {name[:8].upper()}")
        assert house.state == "in_review"


def test_a_press_on_the_second_plan_is_judged_by_what_is_so_then() -> None:
    """The check and its number stay when the plan changes; who pressed for the first plan has not approved the second."""
    second = {**PLAN, "summary": "Make add add, and nothing else"}
    with House(config="approvers: [ana]\n") as house:
        house.agents.plans = [PLAN, second]
        house.agents.outcomes["step"] = [NeedsHuman("the model declined")]
        house.planned()
        house.github.press("Approve", by="ana")
        house.pump()
        assert house.state == "needs_human", house.story()
        house.say("/conductor revise say less")
        assert house.state == "plan.approval", house.story()
        house.clock.ahead_ms += 300_000
        house.github.press("Approve", by="bob")
        house.pump()
        stays(house, says="bob")
        house.github.press("Approve", by="ana")
        house.pump()
        assert house.state == "in_review", house.story()


def reads_and_then(house: House, then: Callable[[], None]) -> Performer:
    """What happens between the read-back of an approval and its use."""
    read = house.performer.handlers[JobKind.APPROVAL]

    def approve(job: Job) -> Outcome:
        outcome = read(job)
        then()
        return outcome

    return Performer(house.parts.desk, {**house.performer.handlers, JobKind.APPROVAL: approve})


def halts_after_the_reading(house: House, *, by: str) -> None:
    """A check that GitHub does not take ends the run's way between the read-back of an approval and its use."""
    house.github.faults.append(Fault("POST /repos/*/check-runs", status=403, retry_after=600, times=1))
    house.github.push(house.run.branch, {"more.txt": "x"}, by="bob")
    house._settle()

    def halt() -> None:
        house.clock.ahead_ms += 700_000
        house.github.faults.append(Fault("POST /repos/*/check-runs", status=422, times=1))
        assert house.parts.dispatch is not None
        house.parts.dispatch.dispatch(house.github.installation_id)

    performer, house.performer = house.performer, reads_and_then(house, halt)
    house.say("/conductor approve", by=by)
    house.performer = performer
    assert house.state == "needs_human", house.story()


def test_an_approval_that_was_read_for_one_plan_is_not_used_for_the_next() -> None:
    """The run halts after the read-back and before its use; what was read stays with the plan that it was read for."""
    second = {**PLAN, "summary": "Make add add, and nothing else"}
    with House(dead=["check_run.create"]) as house:
        house.agents.plans = [PLAN, second]
        house.planned()
        halts_after_the_reading(house, by="ana")
        house.say("/conductor retry")
        assert house.state == "plan.approval", house.story()
        assert house.approvals() == []


def test_two_people_press_for_a_plan_of_high_risk() -> None:
    with House(config="protected: [calc.py]\n") as house:
        house.planned()
        assert house.run.risk == "high"
        for person in ("bob", "carl"):
            house.github.press("Approve", by=person)
            house.pump()
        assert house.state == "in_review", house.story()


def test_a_press_after_somebody_elses_that_was_refused_counts() -> None:
    with House(config="approvers: [ana]\n") as house:
        house.planned()
        house.github.press("Approve", by="bob")
        house.pump()
        stays(house, says="bob")
        house.github.press("Approve", by="ana")
        house.pump()
        assert house.state == "in_review", house.story()


def test_an_approval_that_was_read_before_a_stop_is_read_again_when_it_is_used() -> None:
    with House(messy=True) as house:
        house.planned()

        def stop() -> None:
            house.parts.stopping.set("run", house.run.id, stopped=True, by="op", reason="carl's account is not his")

        performer, house.performer = house.performer, reads_and_then(house, stop)
        house.say("/conductor approve", by="carl")
        house.performer = performer
        assert house.state == "plan.approval", house.story()
        house.github.set_permission("carl", "read")
        house.github.delete_comment("/conductor approve", by="carl")
        house.later(3600)
        house.parts.stopping.set("run", house.run.id, stopped=False, by="op", reason="")
        house.later(60)
        stays(house, says="carl")
        assert house.approvals() == []
        house.say("/conductor approve", by="ana")
        assert house.state == "in_review", house.story()


def test_an_approval_that_was_read_before_a_halt_is_read_again_after_it() -> None:
    """The retry's plan is the very same."""
    with House(messy=True) as house:
        house.planned()
        halts_after_the_reading(house, by="carl")
        house.github.set_permission("carl", "read")
        house.github.delete_comment("/conductor approve", by="carl")
        house.later(3 * 86_400)
        house.say("/conductor retry", by="ana")
        assert house.state == "plan.approval", house.story()
        assert house.approvals() == []
