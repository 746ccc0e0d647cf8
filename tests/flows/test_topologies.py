"""The bundled scenario through the real App as child processes: one process, and five over a real Redis."""

from __future__ import annotations

from typing import Any

import pytest

from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner
from bot.simulator.topology import TopologyName


@pytest.mark.parametrize("topology", ["embedded", "sqlite", "postgres"])
def test_the_bundled_issue_becomes_a_reviewed_pull_request(topology: TopologyName) -> None:
    report: dict[str, Any] = Runner(bundled(), topology).run()
    assert report["state"] == "in_review", report["problem"]
    assert report["violations"] == []
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    assert [(one["id"], one["status"]) for one in report["ledger"]] == [("F1", "withdrawn"), ("F2", "fixed")]
    assert [step["to"] for step in report["transitions"]] == [
        "plan.draft",
        "plan.review",
        "plan.approval",
        "code.draft",
        "code.review",
        "code.draft",
        "code.review",
        "publishing",
        "in_review",
    ]
    assert [pull["draft"] for pull in report["github"]["pulls"]] == [False]
    assert all(row["policy_ids"] and row["payload_sha256"] and row["decision"] == "allow" for row in report["outbox"])
