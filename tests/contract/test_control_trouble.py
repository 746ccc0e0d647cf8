"""What goes wrong around a run: repositories, configuration, credentials and deliveries that are not as they should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from structlog.testing import capture_logs

from bot.adapters.github_writer import GitHubAppWriter
from bot.domain.errors import StaleFence
from bot.domain.jobs import JobKind
from bot.domain.outcome import NeedsHuman, Outcome
from bot.ports import records as r
from bot.ports.github import Approved, OutboxWrite, Sent
from bot.services.performing import Performer
from bot.simulator.github.faults import Fault
from tests.harness.house import House
from tests.harness.house_agents import FIXED, PLAN


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_without_drafts_a_plain_pull_request_says_plan_in_its_title() -> None:
    with House(drafts_allowed=False, dead=["pull.create"]) as house:
        house.planned()
        assert not house.pull["draft"]
        assert house.pull["title"].startswith("[plan] ")
        assert len(house.github.snapshot()["pulls"]) == 1
        house.say("/conductor approve", where="pull")
        assert house.state == "in_review", house.story()
        assert not house.pull["title"].startswith("[plan]")
        assert house.rows("pull.ready") == []
        assert [row.state for row in house.rows("pull.create")] == ["dead", "confirmed"]


def test_a_deleted_status_comment_is_made_anew() -> None:
    with House(dead=["comment.update"]) as house:
        house.planned()
        house.github.delete_comment("Plan ready for approval", by="bob")
        house.say("/conductor approve")
        assert house.state == "in_review"
        assert len(house.comments("Ready for review")) == 1
        house.github.merge(by="ana")
        house.pump()
        assert len(house.comments("✅ Done")) == 1
        assert sum(":status:" in row.dedupe_key for row in house.rows("comment.create")) == 2


def test_a_deleted_phase_label_is_no_trouble() -> None:
    with House() as house:
        house.planned()
        house.github.unlabel("conductor: awaiting approval", by="bob")
        house.say("/conductor approve")
        assert house.labels == ["conductor", "conductor: in review"]


def test_a_dry_run_writes_nothing_and_goes_all_the_way() -> None:
    with House(config="mode: dry-run\n", messy=True) as house:
        house.start()
        assert house.state == "plan.approval", house.story()
        before = [row for row in house.rows() if row.state == "confirmed"]
        house.say("/conductor approve", where="issue")
        assert house.state == "in_review", house.story()
        assert house.run.mode == "dry-run"
        sent = [row for row in house.rows() if row.state == "confirmed"]
        assert sent == before, "what went out was staged before the mode was known"
        assert {row.state for row in house.rows() if row.kind.startswith(("branch.", "pull.", "check_run."))} <= {
            "allowed"
        }
        assert house.github.snapshot()["pulls"] == []
        assert list(house.github.snapshot()["branches"]) == ["main"]
        assert all(row.policy_ids for row in house.rows())
        assert house.github.violations == []


def test_a_broken_configuration_is_said_with_line_and_column() -> None:
    with House(config="wip: 1\nreviewers: many\n") as house:
        house.start()
        assert house.state == "needs_human"
        assert "line 2, column 12" in house.comments("@ana")[-1]
        house.github.push("main", {".github/conductor.yml": "wip: 1\n"}, by="ana")
        house.say("/conductor retry")
        assert house.state == "plan.approval", house.story()


def test_a_repository_without_a_commit_says_so() -> None:
    with House(files=None) as house:
        house.start()
        assert house.state == "needs_human"
        assert "commit" in house.comments("@ana")[-1]
        with house.parts.storage.read() as tx:
            # Asking again would be answered the same.
            assert [job.attempts for job in tx.jobs.of_run(house.run.id)] == [1]
        house.say("/conductor cancel")
        assert house.state == "cancelled"


def test_an_unknown_installation_and_a_refused_token() -> None:
    with House(dead_deliveries=1, messy=True) as house:
        house.github.deliver(
            "issues",
            {
                "action": "labeled",
                "label": {"name": "conductor"},
                "installation": {"id": 99},
                "sender": {"login": "ana", "id": 1, "type": "User"},
            },
        )
        house.pump()
        (heard,) = house.deliveries()
        assert heard.state == "dead"
        assert "installation" in heard.reason
        assert house.runs() == []
    fault = Fault("POST /app/installations/*", status=403, times=50)
    with House(faults=[fault], messy=True) as house:
        house.start()
        dead = [one for one in house.deliveries() if one.event == "issues" and one.state == "dead"]
        assert dead
        assert "403" in dead[0].reason
        fault.times = 0
        house.github.redeliver(dead[0].id)
        house.pump()
        assert house.state == "plan.approval", "a redelivery arms it again"


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"action": "labeled"}',
        b'{"action": "labeled", "label": 7, "issue": [], "repository": null, "sender": "x", "installation": {}}',
        b"{" * 100_000,
    ],
)
def test_a_malformed_delivery_ends_with_its_reason(body: bytes) -> None:
    with House(dead_deliveries=1) as house:
        house.github.deliver("issues", body)
        house.github.deliver("meteor_struck", b'{"action": "hit"}')
        house.pump()
        states = {one.event: one for one in house.deliveries()}
        assert states["issues"].state == "dead"
        assert states["issues"].attempts == 1
        assert states["issues"].reason
        assert states["meteor_struck"].state == "ignored"


def test_a_bad_signature_is_never_stored_and_a_known_delivery_takes_effect_once() -> None:
    with House() as house:
        house.github.comment("issue", "/conductor plan", by="ana")
        house.pump()
        body = next(one for one in house.github.deliveries if b"/conductor plan" in one.delivery.body).delivery
        house.github.deliver("issue_comment", body.body, signature="bad")
        house.github.deliver("issue_comment", body.body, signature="none")
        house.github.deliver("issue_comment", body.body, guid=body.guid, times=3)
        house.pump()
        assert len(house.runs()) == 1
        assert (
            len([one for one in house.deliveries() if one.event == "issue_comment" and b"/conductor plan" in one.body])
            == 1
        )
        again = house.github.deliver("issue_comment", body.body)
        house.pump()
        assert len(house.runs()) == 1, "another id with the same content finds the run that lives"
        assert any(one.id == again for one in house.deliveries())


def test_deliveries_out_of_order_doubled_and_lost() -> None:
    faults = [
        Fault("DELIVER issues.labeled", swap=True, times=3),
        Fault("DELIVER issue_comment.created", copies=2, times=50),
        Fault("DELIVER pull_request.*", swap=True, times=50),
        Fault("DELIVER push", drop=True, times=50),
        Fault("DELIVER check_run.*", swap=True, times=50),
    ]
    with House(faults=faults) as house:
        house.published()
        assert house.branch()["calc.py"] == digest(FIXED)
        house.github.merge(by="ana")
        house.pump()
        assert house.state == "done"
        assert len(house.approvals()) == 1


def test_a_transferred_issue_a_locked_pull_or_a_refused_write_stops_with_a_sentence() -> None:
    fault = Fault("POST /repos/*/git/refs", status=403, times=9)
    with House(faults=[fault], dead=["branch.create"]) as house:
        house.start()
        assert house.state == "needs_human"
        assert "GitHub did not take branch.create" in house.run.halt_reason
        assert house.labels == ["conductor", "conductor: needs human"]


def test_a_review_request_that_is_refused_does_not_hold_the_run() -> None:
    fault = Fault("POST /repos/*/requested_reviewers", status=422, times=9)
    with House(faults=[fault], dead=["review.request"]) as house:
        house.published()


def test_a_base_that_moved_while_planning_does_not_disturb_the_branch() -> None:
    with House() as house:
        house.agents.hooks["draft"] = lambda job: house.github.push("main", {"n.md": "1\n"}, by="bob")
        house.published()
        assert "n.md" not in house.branch()


def test_a_branch_of_that_name_by_somebody_else_is_never_touched() -> None:
    with House(dead=["branch.create"]) as house:
        sha = house.github.push("conductor/7-add-is-wrong", {"x": "1\n"}, by="bob")
        house.start()
        assert house.state == "needs_human", house.story()
        assert house.github._within().branch("conductor/7-add-is-wrong") == sha


def test_an_edit_by_a_reader_just_before_the_label_raises_risk() -> None:
    with House() as house:
        house.clock.ahead_ms += 3_600_000
        house.github.edit_issue(None, "do something else", by="mallory")
        house.clock.ahead_ms += 60_000
        house.planned()
        assert house.run.risk == "high"


def test_a_titles_markup_and_a_long_one_are_cut_to_a_safe_sentence() -> None:
    with House(issues={7: "`rm -rf` @everyone <img src=x> fixes #1 " + "long " * 60}) as house:
        house.planned()
        assert "@" not in house.pull["title"]
        assert "<" not in house.pull["title"]
        commit = json.loads(house.rows("branch.create")[0].payload)["message"]
        assert "fixes #1" not in commit
        assert PLAN["summary"] in house.pull["body"]


def test_labels_by_bots_and_on_pull_requests_start_nothing() -> None:
    with House() as house:
        house.github.label("conductor", by="helper[bot]")
        house.pump()
        assert house.runs() == []
        house.github.unlabel("conductor", by="bob")
        house.planned()
        house.github.label("conductor", by="ana", where="pull")
        house.pump()
        assert len(house.runs()) == 1
        house.github.label("bug", by="ana")
        house.pump()
        assert len(house.runs()) == 1


def test_another_start_label() -> None:
    with House(config="start_label: robot\n") as house:
        house.github.label("conductor", by="ana")
        house.pump()
        assert house.runs() == []
        house.github.label("robot", by="ana")
        house.pump()
        assert house.state == "plan.approval"
        house.github.unlabel("conductor", by="ana")
        house.pump()
        assert house.state == "plan.approval"
        house.github.unlabel("robot", by="ana")
        house.pump()
        assert house.state == "cancelled"


def test_a_run_that_cannot_be_taken_further_reaches_a_person() -> None:
    with House(messy=True) as house:
        house.planned()
        broken = mock.patch.object(type(house.parts.progress.publishing), "learn", side_effect=ZeroDivisionError("x/0"))
        with broken, capture_logs() as logged:
            house.say("/conductor resume")
            for _ in range(6):
                house.later(400)
        assert {one["event"] for one in logged} == {"advance_failed"}
        assert house.state == "needs_human", house.story()
        house.later(400)
        assert house.comments("Conductor failed 5 times to take this run further: ZeroDivisionError: x/0")
        assert "stumbles" not in house.run.known


def test_a_stumble_that_passes_is_forgotten() -> None:
    with House(messy=True) as house:
        house.planned()
        broken = mock.patch.object(type(house.parts.progress.publishing), "learn", side_effect=ZeroDivisionError("x/0"))
        with broken, capture_logs():
            house.say("/conductor revise shorter")
        assert house.run.known["stumbles"] >= 1
        house.later(400)
        assert house.state == "plan.approval", house.story()
        assert "stumbles" not in house.run.known


def test_a_paused_run_learns_that_its_pull_request_was_closed() -> None:
    with House() as house:
        house.planned()
        house.say("/conductor pause")
        house.github.close_item("pull", "ana")
        house.pump()
        assert house.state == "cancelled", house.story()


def test_a_job_whose_run_changed_under_it_is_tried_again() -> None:
    """It is still held by who does it: nobody else would do it, and the run would wait for it for ever."""
    with House() as house:
        snapshot, met = house.performer.handlers[JobKind.SNAPSHOT], list[str]()

        def stale(job: r.Job) -> Outcome:
            met.append(job.id)
            if len(met) == 1:
                raise StaleFence("The run has changed since it was read; read it again.")
            return snapshot(job)

        house.performer = Performer(house.parts.desk, {**house.performer.handlers, JobKind.SNAPSHOT: stale})
        house.planned()
        assert len(met) == 2
        assert len(set(met)) == 1


def test_a_retry_after_a_second_snapshot_that_failed_takes_another() -> None:
    with House() as house:
        house.planned()
        house.github.push("main", {".github/conductor.yml": "mode: nonsense\n"}, by="ana")
        house.say("/conductor revise do it better")
        assert house.state == "needs_human", house.story()
        house.github.push("main", {".github/conductor.yml": "mode: active\n"}, by="ana")
        house.say("/conductor retry")
        assert house.state == "plan.approval", house.story()
        assert house.agents.of("draft")[-1].payload["revision"] == "do it better"


def test_a_row_that_ended_while_a_person_was_asked_does_not_halt_the_retry() -> None:
    with House(dead=["check_run.update"]) as house:
        house.planned()
        house.agents.outcomes["step"] = [NeedsHuman("the model declined")]
        fault = Fault("PATCH /repos/*/check-runs/*", status=422, times=0)
        house.github.faults.append(fault)

        def halted(job: r.Job) -> None:
            assert house.parts.dispatch is not None
            house.parts.dispatch.dispatch(house.github.installation_id)
            fault.times = 1

        house.agents.hooks["step"] = halted
        house.say("/conductor approve")
        house.agents.hooks.clear()
        assert house.state == "needs_human", house.story()
        assert fault.applied == 1, house.story()
        house.say("/conductor retry")
        assert house.state == "in_review", house.story()


@contextmanager
def paused_in_publishing() -> Iterator[House]:
    """The pause comes while the code's commit is being made, and GitHub failed the first try."""
    with House(dead=["branch.update"]) as house:
        house.planned()
        house.github.faults.append(Fault("POST /repos/*/git/trees", status=503, times=1))
        said, send = list[int](), GitHubAppWriter.send

        def sent(writer: GitHubAppWriter, write: Approved[OutboxWrite], *, retry: bool) -> Sent:
            if write.value.kind == "branch.update" and not said:
                said.append(write.value.row_id)
                house.github.comment("issue", "/conductor pause", by="ana", number=7)
            return send(writer, write, retry=retry)

        with mock.patch.object(GitHubAppWriter, "send", sent):
            house.say("/conductor approve")
        assert (house.state, house.run.paused) == ("publishing", True), house.story()
        yield house


def test_a_run_that_is_cancelled_while_paused_comes_to_rest() -> None:
    """Its code may not go out, which must not keep its checks open for ever."""
    with paused_in_publishing() as house:
        house.say("/conductor cancel")
        for _ in range(5):
            house.later(120)
        assert house.state == "cancelled"
        assert all(row.state in {"confirmed", "dead", "denied"} for row in house.rows()), house.story()
        assert {row.state for row in house.rows("branch.update")} <= {"dead", "denied"}


def test_a_paused_run_asks_github_ever_more_seldom_and_goes_on_within_a_minute() -> None:
    with paused_in_publishing() as house:
        for _ in range(120):
            house.later(10)
        (row,) = house.rows("branch.update")
        assert row.state == "allowed"
        assert row.attempts < 40, "twenty minutes"
        house.say("/conductor resume")
        house.later(60)
        assert house.state == "in_review", house.story()


def test_a_request_for_review_that_was_denied_while_a_person_was_asked_does_not_hold_publishing() -> None:
    with House(messy=True) as house:
        house.planned()
        house.github.faults.append(Fault("POST /repos/*/check-runs", status=422, times=1))
        house.github.faults.append(Fault("POST /graphql", status=403, retry_after=600, times=1))
        house.say("/conductor approve")
        assert house.state == "needs_human", house.story()
        for _ in range(3):
            house.later(700)
        assert {row.state for row in house.rows("review.request")} == {"denied"}, house.story()
        house.say("/conductor retry")
        for _ in range(5):
            house.later(700)
        assert house.state == "in_review", house.story()
