"""Random people, agents, faults and deaths drive the real services; after every step the rows must obey the law (I1 to I4, I11)."""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.simulator.github.faults import Fault
from bot.simulator.github.people import NothingThere
from tests.harness.house import House
from tests.harness.house_agents import (
    FIXED,
    NEW_TEST,
    PLAN,
    approves,
    changes,
    finding,
    fixed,
    fixed_plan,
    plan_finding,
)
from tests.harness.house_law import check_all, check_end

EXAMPLES = int(os.environ.get("CONDUCTOR_RANDOM_EXAMPLES", "8"))
"""How many histories are made; more of them, and other ones each time, where the variable is set."""

people = st.sampled_from(["ana", "bob", "carl", "mallory"])
where = st.sampled_from(["issue", "pull"])
BAD_PLAN = {**PLAN, "steps": [{**PLAN["steps"][0], "covers": []}]}
COMMANDS = [
    *(
        "/conductor approve",
        "/conductor approve",
        "/conductor approve 00000000",
        "/conductor retry",
        "/conductor retry",
    ),
    *("/conductor revise say more", "/conductor pause", "/conductor resume", "/conductor status", "/conductor ledger"),
    *("/conductor justify F1 it is meant so", "/conductor withdraw F1 it is none", "/conductor why plan.approval"),
    *(
        "/conductor stop repository",
        "/conductor resume repository",
        "/conductor plan",
        "approve, I say",
        "/conductor cost",
    ),
]
PLANS = {"good": PLAN, "other": {**PLAN, "summary": "Make add really add"}, "bad": BAD_PLAN}
SAID: dict[str, dict[str, Any] | None] = {
    "approves": approves(),
    "nothing": None,
    "plan finding": changes(plan_finding()),
    "finding": changes(finding()),
    "unproven": changes(finding(quote="return a * b")),
    "fixed": approves(fixed("F1"), fixed_plan("F1", "really")),
    "approves with a finding": {"verdict": "approve", "findings": [finding()]},
}
WORKS: dict[str, dict[str, str | None]] = {
    "good": {"calc.py": FIXED, "tests/test_add.py": NEW_TEST},
    "remarked": {"calc.py": f"# adds\n{FIXED}", "tests/test_add.py": NEW_TEST},
    "without a test": {"calc.py": FIXED, "tests/test_calc.py": None},
    "beyond the plan": {"calc.py": FIXED, ".github/workflows/ci.yml": "on: push\n"},
}
FAULTS = [
    *("POST /repos/*/issues/7/comments", "PATCH /repos/*/issues/comments/*", "POST /repos/*/pulls", "POST /graphql"),
    *("POST /repos/*/check-runs", "PATCH /repos/*/check-runs/*", "PATCH /repos/*/git/refs/*", "POST /repos/*/git/*"),
    *("GET /repos/*/collaborators/*", "GET /repos/*/pulls/*", "GET /repos/*", "DELETE /repos/*/labels/*"),
]


class RandomHouse(RuleBasedStateMachine):
    """One repository, one issue, four people, and everything that may go wrong around them."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House(messy=True)
        self.house.__enter__()
        self.over = False

    @initialize(
        plans=st.lists(st.sampled_from(["good", "good", "good", "other", "bad"]), min_size=1, max_size=4),
        reviews=st.lists(st.lists(st.sampled_from([*["approves"] * 6, *SAID]), max_size=3), min_size=4, max_size=4),
        works=st.lists(st.sampled_from(["good", "good", *WORKS]), max_size=3),
        deaths=st.sampled_from([0, 0, 1, 2, 3]),
        approve=st.booleans(),
    )
    def agents_say(
        self, plans: list[str], reviews: list[list[str]], works: list[str], deaths: int, approve: bool
    ) -> None:
        agents = self.house.agents
        agents.plans = [PLANS[name] for name in plans]
        agents.works = {"S1": [WORKS[name] for name in works]}
        seats = ("plan_reviewer.1", "plan_reviewer.2", "code_reviewer.1", "code_reviewer.2")
        agents.reviews = {seat: [SAID[name] for name in said] for seat, said in zip(seats, reviews, strict=True)}
        if deaths:
            self.processes_will_die(6, deaths)
        self.house.start()
        if approve:
            self.house.say("/conductor approve", by="ana")

    @rule(body=st.sampled_from(COMMANDS), by=people, where=where)
    def somebody_comments(self, body: str, by: str, where: str) -> None:
        self._do(lambda: self.house.github.comment(where, body, by=by))  # type: ignore[arg-type]  # issue or pull

    @precondition(lambda self: self.house.state.endswith(".approval"))
    @rule(
        by=st.sampled_from(["ana", "bob"]),
        seconds=st.sampled_from([0, 0, 200]),
        edits=st.sampled_from([False, False, True]),
    )
    def somebody_approves(self, by: str, seconds: int, edits: bool) -> None:
        self.house.later(seconds)
        self.house.github.comment("issue", "/conductor approve", by=by)
        if edits:
            self.house.github.edit_comment("/conductor approve", "I take it back", by=by)
        self.house.pump()

    @precondition(lambda self: self.house.state in {"needs_human", "in_review"})
    @rule(body=st.sampled_from(["/conductor retry", "/conductor revise anew"]))
    def somebody_goes_on(self, body: str) -> None:
        self._do(lambda: self.house.github.comment("issue", body, by="ana"))

    @precondition(lambda self: self.house.state in {"in_review", "plan.approval"})
    @rule(by=people, state=st.sampled_from(["request_changes", "request_changes", "approve", "comment"]))
    def somebody_reviews(self, by: str, state: str) -> None:
        self._do(lambda: self.house.github.review(state, "Bound it.", [], by=by))

    @rule(by=people, add=st.sampled_from([True, True, False]))
    def labels_change(self, by: str, add: bool) -> None:
        change = self.house.github.label if add else self.house.github.unlabel
        self._do(lambda: change("conductor", by=by))

    @rule(by=people, what=st.sampled_from(["issue", "pull", "close", "merge", "reopen"]))
    def things_are_edited_closed_or_merged(self, by: str, what: str) -> None:
        github = self.house.github
        acts = {
            "issue": lambda: github.edit_issue(None, "It gives -2 now", by=by),
            "pull": lambda: github.edit_pull("Approve me", by=by),
            "close": lambda: github.close_item("pull", by=by),
            "merge": lambda: github.merge(by=by),
            "reopen": lambda: github.reopen_item("issue", by=by),
        }
        self._do(acts[what])

    @rule(by=people, branch=st.sampled_from(["main", "ours"]), path=st.sampled_from(["README.md", "calc.py"]))
    def somebody_pushes(self, by: str, branch: str, path: str) -> None:
        name = "main" if branch == "main" else self.house.run.branch
        text = f"# {self.house.clock.now()}\n{FIXED}"
        self._do(lambda: self.house.github.push(name, {path: text}, by=by))

    @rule(name=st.sampled_from(FAULTS), status=st.sampled_from([502, 500, 403, 404]), after=st.booleans())
    def github_will_fail(self, name: str, status: int, after: bool) -> None:
        late = {"retry_after": 30} if status == 403 else {"after_effect": after and status == 502}
        self.house.github.faults.append(Fault(name, status=status, times=2, **late))

    @rule(one_in=st.integers(3, 12), seed=st.integers(0, 99))
    def processes_will_die(self, one_in: int, seed: int) -> None:
        dice, left = random.Random(seed), list(range(12))
        self.house.kills = lambda number: bool(left) and dice.randrange(one_in) == 0 and left.pop() >= 0

    @rule(seconds=st.sampled_from([1, 150, 4_000, 15 * 86_400]))
    def time_passes_and_wake_ups_are_lost(self, seconds: int) -> None:
        self.house.queue.flush()
        self.house.kills = lambda number: False
        self.house.later(seconds)

    def _do(self, act: Any) -> None:
        """Do what GitHub lets this person do, and work."""
        try:
            act()
        except NothingThere:
            return
        self.house.pump()

    @invariant()
    def the_law_holds(self) -> None:
        if self.house.runs():
            check_all(self.house)

    def teardown(self) -> None:
        """Whatever happened: resumed and unlabelled, everything comes to its end."""
        house = self.house
        try:
            house.kills = lambda number: False
            house.github.faults.clear()
            if house.runs():
                for body in ("/conductor resume repository", "/conductor resume", "/conductor cancel"):
                    house.say(body, by="ana")
                house.later(3_600)
                check_all(house)
                check_end(house)
        finally:
            house.__exit__(None, None, None)


TestRandomHouse = RandomHouse.TestCase
TestRandomHouse.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=8,
    deadline=None,
    derandomize="CONDUCTOR_RANDOM_EXAMPLES" not in os.environ,
    database=None,
    # A history takes seconds; making a failing one shorter takes them a hundred times. Its steps are printed as they are.
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
