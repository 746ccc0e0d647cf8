"""The bundled scenario through the real App as child processes: one process, and five over a real Redis on both databases.

While it plays, the five are looked into: none holds a secret of another, in its environment, arguments or memory. On
PostgreSQL each connects as a user of its own, so that the rights of `bot.adapters.storage.authority` suffice is shown too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

from bot.simulator import bundled_scenario
from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner
from bot.simulator.topology import SPLIT, TopologyName
from tests.harness.holdings import SECRETS, Prying

# What no two runs share: ids, hashes, hosts, times. Everything else must agree, to the order of rows and the bytes of comments.
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"\b\d+\.\d+ ?s\b"), "SECONDS"),
    (re.compile(r"(?<=[-\d]:)[a-z0-9]{12}\b"), "JOB"),
    (re.compile(r"\b[0-9a-f]{8,}\b"), "ID"),
)


def _without_ids(report: dict[str, Any]) -> str:
    text = json.dumps(report, indent=1, ensure_ascii=False)
    for run in {row["run_id"] for row in report["outbox"] if row["run_id"]}:
        text = text.replace(run, "RUN")
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text


def _its_tests_pass(diff: str, folder: Path) -> None:
    """The pull request's tree, as its diff makes it from the package's files, passes its own tests."""
    shutil.copytree(Path(bundled_scenario.__file__).with_name("bundled") / "sharetab", folder)
    patch = ["git", "apply", "--unsafe-paths", f"--directory={folder}", "-"]
    subprocess.run(patch, check=True, input=diff.encode(), cwd="/")
    python = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(python, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "test_split_remainder" in diff


def _each_holds_its_own_secrets_alone(prying: Prying, topology: TopologyName) -> None:
    assert sorted(prying.foreign) == []
    # The search finds what is there: each secret in the hands of whom it belongs to.
    expected = {(process, "memory", name) for name, process in SECRETS.items()}
    if topology == "postgres":
        expected |= {(process, "memory", f"database password of {process}") for process in SPLIT}
    assert expected <= prying.owned
    assert {("agents", "bwrap"), ("agents", "bash")} <= set(prying.programs), "no sandbox was looked into"


def _demo(topology: TopologyName, folder: Path) -> dict[str, Any]:
    prying = Prying(os.getpid(), memory_at="in_review")
    looking: dict[str, Any] = {} if topology == "embedded" else {"watch": prying.watch, "decide": prying.decide}
    runner = Runner(bundled(), topology, **looking)
    report = runner.run()
    assert report["state"] == "in_review", f"{report['problem']}\n{runner.log[-20_000:]}"
    if looking:
        _each_holds_its_own_secrets_alone(prying, topology)
    _its_tests_pass(runner.diff, folder / topology)
    assert report["violations"] == []
    assert report["unmatched_writes"] == 0
    assert report["audit"] == {"verified": True}
    assert [(one["id"], one["status"], one["reason"][:8]) for one in report["ledger"]] == [
        ("F1", "withdrawn", "unproven"),
        ("F2", "fixed", "The cent"),
    ]
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
    return report


def test_the_bundled_issue_becomes_the_same_reviewed_pull_request_on_every_topology(tmp_path: Path) -> None:
    embedded, *others = (_without_ids(_demo(name, tmp_path)).splitlines() for name in get_args(TopologyName))
    for other in others:
        assert [pair for pair in zip(embedded, other, strict=True) if pair[0] != pair[1]] == []
