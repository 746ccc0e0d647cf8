"""What setup asked the proxy for is on record twice: as tool calls, and in the chain of the audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.repo_config import RepoConfig
from bot.domain.repo_config import Sandbox as SandboxConfig
from bot.ports import records as r
from tests.unit.test_agents_implementing import step_job
from tests.unit.test_agents_world import CALC, World, sandbox, world
from workers.agents import room as rooms
from workers.agents.canaries import Canary
from workers.agents.room import open_room
from workers.sandbox.box import Sandbox
from workers.sandbox.egress import EgressDecision

__all__ = ["sandbox"]

ASKS = """
import base64, os, socket
for line in ("CONNECT elsewhere.example:443 HTTP/1.1", "CONNECT nul\\0.example:443 HTTP/1.1", "GET / HTTP/1.1"):
    with socket.create_connection(("127.0.0.1", 3128)) as one:
        token = base64.b64encode(os.environ["HTTPS_PROXY"][7:].split("@")[0].encode()).decode()
        one.sendall(f"{line}\\r\\nProxy-Authorization: Basic {token}\\r\\n\\r\\n".encode("latin-1"))
        one.recv(100)
"""


def egress(here: World) -> list[r.ToolCall]:
    return sorted((one for one in here.calls() if one.tool == "egress"), key=lambda one: -one.seq)


def audited(here: World) -> list[int]:
    with here.storage.read() as tx:
        return [row.body["call"] for row in tx.journal.audit_rows() if row.kind == "egress"]


def test_each_decision_on_what_setup_asked_for_is_a_tool_call(tmp_path: Path, sandbox: Sandbox) -> None:
    config = RepoConfig(setup=("python ask.py",), sandbox=SandboxConfig(egress=("pypi.example",)))
    with world(tmp_path, sandbox, files={**CALC, "ask.py": ASKS}, config=config) as here:
        with open_room(here.desk, step_job(here)) as room:
            room.layer()
            room._record([EgressDecision("pypi.example", 443, True, "pypi.example", "")], Canary.of("another"))
        found = [(one.seq, one.input["host"], one.decision, one.rule, one.output) for one in egress(here)]
        assert found == [
            (-1, "elsewhere.example", "deny", "sandbox.egress", "no entry of sandbox.egress names it"),
            (-2, "'nul\\x00.example'", "deny", "sandbox.egress", "the host or port is malformed"),
            (-3, "/", "deny", "sandbox.egress", "only CONNECT is spoken here"),
            (-4, "pypi.example", "allow", "pypi.example", ""),
        ]
        assert {(one.role, one.step, one.job_id) for one in egress(here)} == {("implementer", "S1", room.job.id)}
        assert audited(here) == [-1, -2, -3, -4]


def test_a_program_that_asks_in_a_loop_fills_no_database(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "MOST_DECISIONS", 2)
    with world(tmp_path, sandbox) as here, open_room(here.desk, step_job(here)) as room:
        room._record([EgressDecision(f"h{n}.example", 443, False, "", "unlisted") for n in range(5)], Canary.of("x"))
        assert [(one.input["host"], one.output) for one in egress(here)] == [
            ("h0.example", "unlisted"),
            ("h1.example", "unlisted"),
            ("", "3 more were asked for"),
        ]
