"""What happens in the chaos run: tiny repositories, a scripted model, and people who act on what GitHub shows them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.domain.workflow import CANCELLED, DONE, NEEDS_HUMAN
from bot.simulator.github.model import Issue, Pull, Repository
from bot.simulator.github.people import People
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import ScriptedModel
from bot.simulator.script import read_script
from bot.wording import labels

ISSUES: Final = 40
"""In a repository, at most."""
PEOPLE: Final = ("ana", "bob", "carl")
_NOTE: Final = re.compile(rb"\bnote-([1-9]\d*)\b")
BEFORE: Final = "The sky is grey today.\n"
AFTER: Final = "The sky is blue today.\n"
CONFIG: Final = "wip: 6\nrounds: 6\nreviewers: 2\nbudget: {run: 100, day: 10000}\n"
BROKEN: Final = "wip: none of them\n"
_PLAN: Final[dict[str, Any]] = {
    "summary": "note-0: the sky is blue.",
    "acceptance": [{"id": "A1", "text": "note-0 says blue", "proof": {"command": "grep -q blue notes/0.md"}}],
    "steps": [
        {
            "id": "S1",
            "title": "Write note-0",
            "intent": "note-0 says what is so",
            "paths": [{"path": "notes/0.md", "use": "edit"}],
            "covers": ["A1"],
        }
    ],
    "grounds": [{"path": "notes/0.md", "start_line": 1, "end_line": 1, "quote": BEFORE.strip()}],
    "verify": ["test -s notes/0.md"],
}
_APPROVES: Final[dict[str, Any]] = {"tool": "submit_review", "input": {"verdict": "approve"}}
_EDIT: Final = {"tool": "edit_file", "input": {"path": "notes/0.md", "old": "grey", "new": "blue"}}
_MODEL: Final[dict[str, Any]] = {
    "planner": [{"tool": "submit_plan", "input": _PLAN}],
    "plan_reviewer": [{"tool": "read_file", "input": {"path": "notes/0.md"}}, _APPROVES],
    "implementer": [_EDIT, {"tool": "submit_work", "input": {"step": "S1", "summary": "note-0 is written"}}],
    "code_reviewer": [{"tool": "read_diff", "input": {}}, _APPROVES],
}


class NoteModel(ScriptedModel):
    """The scripted model, whose words are about the note that the request is about."""

    def __init__(self) -> None:
        problems: list[Any] = []
        super().__init__(read_script(_MODEL, (), problems))
        assert not problems, problems

    def answer(self, path: str, headers: dict[str, str], raw: bytes) -> Any:
        """`ScriptedModel.answer`, with the number of the issue."""
        sent = super().answer(path, headers, raw)
        found = _NOTE.search(raw)
        if found is None:
            return sent
        number = found[1].decode()
        said = json.dumps(sent.body).replace("note-0", f"note-{number}").replace("notes/0.md", f"notes/{number}.md")
        return replace(sent, body=json.loads(said))


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does, once the issue has the label ``sees`` ("" for at once), or "answered": its question is."""

    sees: str
    does: str


@dataclass(frozen=True, slots=True)
class Script:
    """One kind of run: its acts, the state it ends in, how often it comes, and whether its configuration can be read."""

    name: str
    acts: tuple[Act, ...]
    end: str
    weight: int
    config: str = CONFIG


_START: Final = Act("", "label")
_AWAITS: Final = labels.AWAITING
_LAST: Final = (Act(labels.REVIEW, "merge"),)
SCRIPTS: Final = (
    Script("merged", (_START, Act(_AWAITS, "approve"), *_LAST), DONE, 9),
    Script("pressed", (_START, Act(_AWAITS, "press"), *_LAST), DONE, 3),
    Script("asked", (_START, Act(_AWAITS, "status"), Act("answered", "approve"), *_LAST), DONE, 2),
    Script("refused", (_START, Act(_AWAITS, "approve"), Act(labels.REVIEW, "close pull")), CANCELLED, 1),
    Script("cancelled", (_START, Act(_AWAITS, "cancel")), CANCELLED, 2),
    Script("unlabelled", (_START, Act(_AWAITS, "unlabel")), CANCELLED, 1),
    Script("closed", (_START, Act(_AWAITS, "close")), CANCELLED, 1),
    Script("misconfigured", (_START,), NEEDS_HUMAN, 1, BROKEN),
)
LABEL_AT_END: Final = {DONE: {labels.OVER}, CANCELLED: set[str](), NEEDS_HUMAN: {labels.START, labels.HUMAN}}


class Townspeople(People):
    """People of one repository."""

    def __init__(self, github: SimulatedGitHub, full_name: str) -> None:
        super().__init__(github.world, github._deliverer)  # noqa: SLF001  # it has people of its first repository alone
        self._name = full_name

    @property
    def within(self) -> Repository:
        """Their repository."""
        return self._within()

    def _within(self) -> Repository:
        found = self._world.repository(self._name)
        assert found is not None
        return found


@dataclass(slots=True)
class Story:
    """One issue and the people who bring it through its script."""

    script: Script
    people: Townspeople
    number: int
    by: str
    done: int = 0

    @property
    def within(self) -> Repository:
        """Its repository."""
        return self.people.within

    @property
    def issue(self) -> Issue:
        """The issue."""
        return self.within.issues[self.number]

    @property
    def name(self) -> str:
        """Where it is."""
        return f"{self.within.full_name}#{self.number} ({self.script.name})"

    def pull(self) -> tuple[Issue, Pull] | None:
        """Its pull request."""
        head = f"conductor/{self.number}-"
        return next((one for one in self.within.pulls() if one[1].head.startswith(head)), None)

    def labels(self) -> set[str]:
        """Those of the App."""
        return {one.name for one in self.issue.labels if one.name.startswith(labels.START)}

    def is_over(self) -> bool:
        """Whether GitHub shows the script's end."""
        return self.done == len(self.script.acts) and self.labels() == LABEL_AT_END[self.script.end]

    def go_on(self) -> bool:
        """Do the next thing if its moment has come. The simulator's lock is held."""
        if self.done == len(self.script.acts):
            return False
        act = self.script.acts[self.done]
        if act.sees == "answered":
            if not self._is_answered():
                return False
        elif act.sees and act.sees not in self.labels():
            return False
        found = self.pull()
        if act.does in {"approve", "press", "merge", "close pull"} and found is None:
            return False
        self._do(act.does, found[0].number if found else 0)
        self.done += 1
        return True

    def _is_answered(self) -> bool:
        """Whether the App says where the run stands, which it does in words of its own."""
        return any(one.user.kind == "Bot" and one.body.startswith("Run `") for one in self.issue.comments)

    def _do(self, what: str, pull: int) -> None:
        people, by = self.people, self.by
        match what:
            case "label":
                people.label(labels.START, by, number=self.number)
            case "unlabel":
                people.unlabel(labels.START, by, number=self.number)
            case "status":
                people.comment("issue", "/conductor status", by, number=self.number)
            case "cancel":
                people.comment("issue", "/conductor cancel", by, number=self.number)
            case "approve":
                people.comment("pull", "/conductor approve", by, number=pull)
            case "press":
                people.press("Approve", by, self._button())
            case "merge":
                people.merge(by, number=pull)
            case "close pull":
                people.close_item("pull", by, number=pull)
            case "close":
                people.close_item("issue", by, number=self.number)
            case _:
                raise AssertionError(what)

    def _button(self) -> int:
        found = self.pull()
        assert found is not None
        return max(one.id for one in self.within.checks.values() if one.head_sha == found[1].head_sha and one.actions)


@dataclass(slots=True)
class Town:
    """The repositories, filled one after the other."""

    github: SimulatedGitHub
    _open: dict[str, tuple[Townspeople, int]] = field(default_factory=dict)
    _made: int = 0

    def begin(self, script: Script) -> Story:
        """A new issue in a repository whose configuration is the script's."""
        people, last = self._open.get(script.config, (None, ISSUES))
        if people is None or last == ISSUES:
            people, last = self._found(script.config), 0
        self._open[script.config] = people, last + 1
        with self.github.world.lock:
            # Issues and pull requests share their numbers.
            number = people.within.next_number()
            people.open_issue(number, f"Write note-{number}", f"The sky of note-{number} is not grey.", "mallory")
        return Story(script, people, number, PEOPLE[number % len(PEOPLE)])

    def _found(self, config: str) -> Townspeople:
        self._made += 1
        name = f"acme/notes-{self._made}"
        files: dict[str, Any] = {f"notes/{number}.md": BEFORE for number in range(1, 2 * ISSUES + 1)}
        self.github.add_repository(name, {**files, ".github/conductor.yml": config})
        people = Townspeople(self.github, name)
        for login in PEOPLE:
            people.set_permission(login, "maintain")
        people.set_permission("mallory", "read")
        return people
