"""Flow tests as users: the real App as a child process, people who act on GitHub, and nothing left unread.

``with flow(scenario) as seen:`` plays a scenario; inside, the test claims every comment of ours that it knows of. At its end
an unclaimed comment, an undecided, dead or denied row, a delivery without an end, a violation, a write without its row or a
broken audit chain fails the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from bot.simulator.acts import AnyAct
from bot.simulator.github.faults import Fault
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.runner import Runner
from bot.simulator.scenario import OUR_LOGIN, parse_scenario
from bot.simulator.topology import TopologyName
from tests.harness.scenarios import FIXED, NEW_TEST

ASKED: Final = "The plan is ready and waits for your decision"
PUBLISHED: Final = "is ready for review: the code is published"
STOPPED: Final = "This run stopped and needs you."
HAPPY: Final = ("plan.draft", "plan.review", "plan.approval", "code.draft", "code.review", "publishing", "in_review")


def keep(act: AnyAct, _github: SimulatedGitHub) -> AnyAct:
    """People do what the scenario says."""
    return act


@dataclass(slots=True)
class Seen:
    """What a scenario left behind, and which of our comments the test has claimed."""

    report: dict[str, Any]
    _claimed: set[int] = field(default_factory=set)

    @property
    def path(self) -> tuple[str, ...]:
        """The states that the run went through."""
        return tuple(one["to"] for one in self.report["transitions"])

    @property
    def comments(self) -> list[dict[str, Any]]:
        """Our comments, by issue and time."""
        return [one for one in self.report["github"]["comments"] if one["author"] == OUR_LOGIN]

    def expect_comment(self, *contains: str, where: str | None = None) -> str:
        """Claims the first comment of ours that nobody claimed and that has all of that; its body."""
        for number, one in enumerate(self.comments):
            if (
                number not in self._claimed
                and where in {None, one["where"]}
                and all(part in one["body"] for part in contains)
            ):
                self._claimed.add(number)
                return str(one["body"])
        raise AssertionError(f"no unclaimed comment of ours says {contains}; there are: {self.unread()}")

    def unread(self) -> list[str]:
        """Comments that nobody claimed."""
        return [one["body"][:400] for number, one in enumerate(self.comments) if number not in self._claimed]

    def published(self) -> None:
        """The pull request is ready, holds the mended code, and everybody was told."""
        (pull,) = self.report["github"]["pulls"]
        assert (pull["state"], pull["draft"]) == ("open", False)
        branch = self.report["github"]["branches"][pull["head"]]
        assert branch["calc.py"] == hashlib.sha256(FIXED.encode()).hexdigest()
        assert branch["tests/test_add.py"] == hashlib.sha256(NEW_TEST.encode()).hexdigest()
        self.expect_comment("Ready for review", where="issue")
        self.expect_comment(ASKED, where="issue")
        self.expect_comment(PUBLISHED, where="issue")

    def stopped(self, *why: str) -> None:
        """The run waits for a person, and both the status comment and a new comment say why."""
        assert self.report["state"] == "needs_human", self.report["problem"]
        self.expect_comment("Needs a person", *why, where="issue")
        self.expect_comment(STOPPED, *why, where="issue")


@contextmanager
def flow(
    scenario: Mapping[str, Any],
    *,
    topology: TopologyName = "embedded",
    faults: Sequence[Fault] = (),
    decide: Any = keep,
    reached: bool = True,
    dead: Sequence[str] = (),
    dead_deliveries: Sequence[str] = (),
) -> Iterator[Seen]:
    """Plays a scenario. ``faults``: beyond those a scenario can say. ``dead``: kinds of rows that may be dead or denied.

    ``dead_deliveries``: a part of the reason of each delivery that must have ended as dead, in order.
    """
    loaded = parse_scenario(
        yaml.safe_dump(dict(scenario), allow_unicode=True), Path(__file__).with_name("scenario.yml")
    )
    report = Runner(loaded, topology, more_faults=faults, decide=decide).run()
    seen = Seen(report)
    assert report["reached"] is reached, (report["state"], report["problem"], list(seen.comments))
    yield seen
    assert seen.unread() == []
    assert report["violations"] == []
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    lost = [one["reason"] if one["state"] == "dead" else one["state"] for one in report["deliveries"]]
    assert len(lost) == len(dead_deliveries), lost
    assert all(wanted in reason for wanted, reason in zip(dead_deliveries, lost, strict=True)), lost
    ended = {"confirmed"} | ({"allowed"} if loaded.config == {"mode": "dry-run"} else set())
    odd = [(row["kind"], row["state"], row["reason"]) for row in report["outbox"] if row["state"] not in ended]
    assert [one for one in odd if one[0] not in dead] == [], odd
    assert all(row["decision"] == "allow" and row["policy_ids"] for row in report["outbox"] if row["kind"] not in dead)
