"""What the bench's App works against: a model that takes its time, and a GitHub that only takes writes, each with a clock."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bot.simulator.github.answer import Answer
from bot.simulator.github.http_server import HttpAnswer, HttpRequest, HttpServer
from bot.simulator.github.server import SimulatedGitHub
from bot.simulator.model import SCRIPTED_MODEL, ScriptedModel
from bot.simulator.script import read_script
from bot.simulator.topology import Topology, TopologyName

APP_ID: Final = 4_713
REPLY_S: Final = 0.5
"""How long the model takes for each reply."""
WRITE_S: Final = 0.1
"""How long GitHub takes for each write."""
REPLIES_A_RUN: Final = 11
NAME: Final = "acme/notes"
LINE: Final = "The sky is grey today."
PLAN: Final[dict[str, Any]] = {
    "summary": "The sky is blue.",
    "acceptance": [{"id": "A1", "text": "The note says blue", "proof": {"command": "grep -q blue notes/0.md"}}],
    "steps": [
        {
            "id": "S1",
            "title": "Write the note",
            "intent": "The note says what is so",
            "paths": [{"path": "notes/0.md", "use": "edit"}],
            "covers": ["A1"],
        }
    ],
    "grounds": [{"path": "notes/0.md", "start_line": 1, "end_line": 1, "quote": LINE}],
    "verify": ["test -s notes/0.md"],
}
READ: Final = {"tool": "read_file", "input": {"path": "notes/0.md"}, "delay_s": REPLY_S}
APPROVE: Final = {"tool": "submit_review", "input": {"verdict": "approve"}, "delay_s": REPLY_S}
REPLIES: Final[dict[str, Any]] = {
    "planner": [*[READ] * 4, {"tool": "submit_plan", "input": PLAN, "delay_s": REPLY_S}],
    "plan_reviewer": [READ, READ, APPROVE],
    "implementer": [READ],
    "code_reviewer": [READ],
}
CONFIG: Final = "wip: 50\nbudget: {run: 1000, day: 10000}\n"
REACTED: Final = re.compile(r"/repos/([^/]+/[^/]+)/issues/comments/(\d+)/reactions")


@dataclass(slots=True)
class Town:
    """A GitHub with one repository and its people, a slow model, and when it was asked for each reply."""

    github: SimulatedGitHub
    model: ScriptedModel
    asked: list[float] = field(default_factory=list)
    _opened: int = 0

    def begin(self, count: int) -> None:
        """So many more issues get the label that starts a run."""
        for _ in range(count):
            # A person starts twenty runs a day at most.
            person = f"ana-{self._opened // 16}"
            if self._opened % 16 == 0:
                self.github.add_person(person, "maintain")
            self._opened += 1
            self.github.open_issue(self._opened, f"Write note {self._opened}", "The sky is not grey.", person)
            self.github.label("conductor", person, number=self._opened)

    def end(self, number: int) -> None:
        """Somebody cancels the run of an issue."""
        self.github.comment("issue", "/conductor cancel", f"ana-{(number - 1) // 16}", number=number)

    @property
    def opened(self) -> int:
        """Issues so far."""
        return self._opened


@contextmanager
def town(secret: str) -> Iterator[Town]:
    """Both servers, without an App yet."""
    problems: list[Any] = []
    script = read_script(REPLIES, (), problems)
    assert not problems, problems
    assert script is not None
    with SimulatedGitHub(app_id=APP_ID, webhook_secret=secret) as github, ScriptedModel(script) as model:
        github.add_repository(NAME, {"notes/0.md": LINE + "\n", ".github/conductor.yml": CONFIG})
        found = Town(github, model)
        model.before_reply = lambda: found.asked.append(time.monotonic())
        yield found


def app(
    name: TopologyName, directory: Path, *, secrets: dict[str, str], replicas: dict[str, int], **settings: Any
) -> Topology:
    """The App's processes, not started yet."""
    directory.mkdir()
    shared: dict[str, Any] = {
        "data": str(directory / "data"),
        "artifacts": str(directory / "artifacts"),
        "app_id": APP_ID,
        "model_name": SCRIPTED_MODEL,
        "pacing_ms": 0,
    }
    return Topology(name, directory, shared | settings, secrets, replicas)


class WritesOnly:
    """A GitHub that mints tokens for any installation, takes reactions `WRITE_S` late, and lists nothing."""

    def __init__(self) -> None:
        self.written: list[float] = []
        self._server = HttpServer(self._answer)

    @property
    def url(self) -> str:
        """Its address."""
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        if request.path.endswith("/access_tokens"):
            asked = json.loads(request.body or b"{}")
            minted = {"token": "ghs_" + "a" * 36, "expires_at": "2099-01-01T00:00:00Z"}
            return HttpAnswer(Answer(201, minted | {"permissions": asked.get("permissions", {}), "repositories": []}))
        if request.method == "GET":
            return HttpAnswer(Answer(200, []))
        if REACTED.fullmatch(request.path) is None:
            return HttpAnswer(Answer(404, {"message": "Not Found"}))
        self.written.append(time.monotonic())
        return HttpAnswer(Answer(201, {"id": len(self.written), "content": "eyes"}), hang_s=WRITE_S)
