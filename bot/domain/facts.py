"""What workers saw and gates decide on. Workers collect, gates judge; every model here is plain data that is stored as evidence."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.domain.plan import Plan
from bot.domain.work import FileDiff, GitMode


class FactModel(BaseModel):
    """Base of facts: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseEntry(FactModel):
    """A file as it stands at base: git mode, blob id, bytes."""

    mode: GitMode
    blob: str
    size: int


class CitedText(FactModel):
    """What stands at a citation's lines, redacted; ``text`` is None when it could not be read, ``problem`` says why."""

    path: str
    start_line: int
    end_line: int
    quote: str
    text: str | None
    problem: str = ""


class GuardFact(FactModel):
    """The command guard's answer for one command (profile implementer)."""

    command: str
    allowed: bool
    rule: str
    reason: str


TestOutcome = Literal["passed", "failed", "skipped", "error"]


class CommandRun(FactModel):
    """One command run in a fresh sandbox. ``tests``: outcome per test id, None where the runner's ids cannot be read."""

    command: str
    exit_code: int
    timed_out: bool
    seconds: float
    output_tail: str
    tests: dict[str, TestOutcome] | None = None


class PlanFacts(FactModel):
    """Facts about a submitted plan, collected at base.

    ``entries``: every path the plan mentions, None where base has no such file. ``collisions``: created paths that equal
    an existing path after case folding. ``cited``: in the order of ``plan.grounds``. ``verify``: the commands in effect
    (configuration, else detected, plus the plan's). ``runs``: each verify command at base. ``document_bytes``: size of the plan.
    ``body_bytes``: UTF-8 bytes of the pull request body that would show it.
    """

    plan: Plan
    entries: dict[str, BaseEntry | None]
    collisions: tuple[str, ...] = ()
    cited: tuple[CitedText, ...] = ()
    verify_configured: tuple[str, ...] = ()
    verify_detected: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    guard: tuple[GuardFact, ...] = ()
    runs: tuple[CommandRun, ...] = ()
    protected: tuple[str, ...] = ()
    document_bytes: int = 0
    body_bytes: int = 0


class ChangeFact(FactModel):
    """One changed path of the merged tree against base. ``secrets``: kinds of secrets that the change adds."""

    path: str
    kind: Literal["added", "modified", "deleted"]
    old_mode: GitMode | None = None
    new_mode: GitMode | None = None
    size: int = 0
    secrets: tuple[str, ...] = ()
    problem: str = ""


class TestFileFact(FactModel):
    """How a test or runner configuration file changed, read from the syntax tree where the language allows.

    ``readable`` is False where no parser of ours reads the language; the lists are then empty and mean nothing.
    ``weakened`` also holds what the tests of the file lean on. ``hollow``: tests of the new file in which no assertion
    can fail. ``followed``: whether a runner whose ids can be read runs tests of this language. ``why``: what makes a
    file the runner's configuration where its name does not say it.
    """

    __test__ = False

    path: str
    role: Literal["test", "configuration"]
    kind: Literal["added", "modified", "deleted"]
    readable: bool = True
    deleted: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    weakened: tuple[str, ...] = ()
    hollow: tuple[str, ...] = ()
    followed: bool = True
    why: str = ""


class ProofRun(FactModel):
    """Whether one criterion's proof held on the tree to be published."""

    criterion: str
    proof: str
    held: bool | None
    detail: str


class VerifyRun(FactModel):
    """All verify commands on one tree. ``planted``: the planted failing test's id; ``planted_failed``: reported as failed.

    ``planted_problem``: in words, what became of a planted test that was not reported so.
    """

    runs: tuple[CommandRun, ...] = ()
    planted: str = ""
    planted_failed: bool | None = None
    planted_problem: str = ""


class WorkFacts(FactModel):
    """Facts about the merged work of one round.

    ``steps``: paths that each step changed. ``conflicts``: paths that did not merge. ``refused``: paths a workspace held
    that git must never see, with the reason. ``base``: verify runs at base, for the tests that passed there.
    ``as_is``, ``base_tests``, ``planted``: runs (a), (b) and (c) of the work gate.
    """

    plan: Plan
    verify: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]
    conflicts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    changes: tuple[ChangeFact, ...] = ()
    diff: tuple[FileDiff, ...] = ()
    test_files: tuple[TestFileFact, ...] = ()
    protected: tuple[str, ...] = ()
    base: VerifyRun = VerifyRun()
    as_is: VerifyRun = VerifyRun()
    base_tests: VerifyRun = VerifyRun()
    planted: VerifyRun = VerifyRun()
    proofs: tuple[ProofRun, ...] = ()
    canaries: tuple[str, ...] = ()


class Delivered(FactModel):
    """Lines of a file that a tool delivered whole to one context: side, revision's path, 1-based inclusive range."""

    side: Literal["base", "head"]
    path: str
    start_line: int
    end_line: int


class SeatReview(FactModel):
    """One seat's counting answer in a round, with what was checked about it.

    ``subject_sha256``: what it judged. ``uncovered``: places it approved without having opened, in words.
    ``leaves_open``: ids of findings it adds or leaves open. ``verdict`` is as submitted.
    """

    seat: str
    subject_sha256: str
    verdict: Literal["approve", "changes_requested"]
    uncovered: tuple[str, ...] = ()
    leaves_open: tuple[str, ...] = ()


class ReviewRound(FactModel):
    """All that decides a review state: who must approve which subject, who did, and what is open.

    ``required``: how many seats must review at least.
    """

    subject_sha256: str
    seats: tuple[str, ...]
    reviews: tuple[SeatReview, ...] = ()
    open_findings: tuple[str, ...] = ()
    required: int = 2


class ApprovalClaim(FactModel):
    """One person's approval, as read back from GitHub when it is used.

    ``comment_problem``/``body_problem`` are "" when comment and shown body are byte for byte as they were. ``same_person``:
    the id in the permission answer equals the delivery's. Times are milliseconds since the epoch. ``named``: prefix given
    in this very command, or "".
    """

    source: Literal["comment", "button"]
    source_id: int
    user_id: int
    login: str
    is_person: bool
    same_person: bool
    permission: str
    role_name: str
    created_at: int
    comment_problem: str = ""
    named: str = ""


class ApprovalFacts(FactModel):
    """All that decides whether a subject is approved (DESIGN section 4, *Approval*).

    ``shown_at``: when the subject was confirmed on GitHub; ``other_shown_at``: when another subject was last confirmed, or
    None. ``named``: prefix given in the command, or "". ``issue_changed``: what somebody with write permission changed
    since the snapshot. ``base_changed``: paths named in steps or grounds that the default branch changed since.
    """

    subject_sha256: str
    named: str = ""
    shown_at: int | None = None
    other_shown_at: int | None = None
    body_problem: str = ""
    claims: tuple[ApprovalClaim, ...] = ()
    approvers: tuple[str, ...] = ()
    not_author: bool = False
    issue_author_id: int = 0
    high_risk: bool = False
    issue_changed: tuple[str, ...] = ()
    base_changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = Field(default=())
