"""Scenarios that come with Conductor: the demo, and the frame around somebody's own repository."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.domain.errors import UserError
from bot.simulator.scenario import Scenario, load_scenario, parse_scenario

SECONDS = 3_600


def bundled() -> Scenario:
    """The demo's scenario."""
    return load_scenario(Path(__file__).with_name("bundled") / "demo.yml")


def own(repository: Path, issue: Path) -> Scenario:
    """A scenario on ``repository`` for the issue in a file (title first), with a live model and one maintainer."""
    text = issue.read_text("utf-8", "replace").strip()
    title, _, body = text.partition("\n")
    if not title.strip():
        raise UserError(f"{issue} is empty: write the issue's title on the first line and the rest below")
    plain = {
        "repo": {"path": str(repository.absolute())},
        "issue": {"number": 1, "title": title.lstrip("# ").strip()[:200], "body": body.strip(), "author": "you"},
        "people": {"you": "admin"},
        "people_do": [
            {"when": "start", "label": "conductor", "by": "you"},
            {"when": "plan.approval", "comment": "/conductor approve", "by": "you", "where": "pull"},
        ],
        "until": {"state": ["in_review"], "seconds": SECONDS},
    }
    return parse_scenario(yaml.safe_dump(plain), Path.cwd() / "try.yml")
