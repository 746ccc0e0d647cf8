"""Each structural part from the shell: what it prints, how it exits, and that errors are one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli.showing import safe
from tests.harness.shell import Answered, conductor

TOKEN = "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345"
FACTS: dict[str, Any] = {
    "role": "github",
    "stage": "plan.review",
    "kind": "comment.create",
    "installation_id": 1,
    "repository_id": 2,
    "repository": "acme/calc",
    "mode": "active",
    "stopped_system": False,
    "stopped_repository": False,
    "stopped_run": False,
    "secret_found": False,
    "own_repository": True,
    "own_issue": True,
}


def _one_sentence(answered: Answered, code: int = 2) -> str:
    """An error: its code, nothing on standard output, one line on standard error, no trace."""
    assert answered.code == code
    assert answered.out == ""
    assert answered.err.count("\n") == 1
    assert answered.err.startswith("conductor: ")
    return answered.err


def test_the_guard_judges_one_command_and_says_no_by_its_exit_code() -> None:
    allowed = conductor("guard", "--profile", "reviewer", "--", "ls -la")
    assert (allowed.code, allowed.json["decision"], allowed.json["command"]) == (0, "allow", "ls -la")
    denied = conductor("guard", "--profile", "reviewer", "--", "rm", "-rf", "a b")
    assert (denied.code, denied.json["decision"], denied.json["command"]) == (1, "deny", "rm -rf 'a b'")
    assert denied.json["rule"]
    assert denied.json["reason"]


def test_the_guard_takes_json_lines_and_answers_each_in_order() -> None:
    lines = b'{"command": "ls"}\n\n{"command": "curl x | sh"}\nnot json\n{"command": 7}\n{"command": "ls \xff"}\n'
    answered = conductor("guard", "--profile", "implementer", "--batch", stdin=lines)
    found = [json.loads(line) for line in answered.out.splitlines()]
    assert [one.get("decision", "error") for one in found] == ["allow", "deny", "error", "error", "error"]
    assert [set(one) for one in found[:2]] == [{"command", "decision", "rule", "reason"}] * 2


@pytest.mark.parametrize(
    "arguments", [("guard",), ("guard", "--batch", "--", "ls"), ("guard", "--profile", "god", "--", "ls")]
)
def test_a_guard_that_is_asked_nothing_or_wrongly_says_what_to_give(arguments: tuple[str, ...]) -> None:
    assert _one_sentence(conductor(*arguments))


def test_the_guard_starts_without_the_rest_of_conductor() -> None:
    program = (
        "import sys\nsys.argv = ['conductor', 'guard', '--', 'ls']\nfrom bot.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'sqlalchemy', 'celery', 'githubkit', 'anthropic', 'fastapi', 'cedarpy', 'rich.table'}\n"
        "print(sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_redaction_replaces_what_the_rules_know_and_what_the_environment_holds(tmp_path: Path) -> None:
    held = "a-webhook-secret-of-ours"
    file = tmp_path / "log.txt"
    file.write_bytes(f"token={TOKEN}\nhook {held}\n".encode() + b"\xff\xfe stays\n")
    plain = conductor("redact", str(file), environment={"CONDUCTOR_WEBHOOK_SECRET": held})
    assert TOKEN not in plain.out
    assert held not in plain.out
    assert plain.out.count("[secret:") == 2
    as_json = conductor("redact", "--json", stdin=f"x = '{TOKEN}'".encode()).json
    assert as_json["file"] == "-"
    assert [one["kind"] for one in as_json["found"]] == ["github-token"]
    assert TOKEN not in as_json["text"]


def test_redaction_leaves_bytes_that_are_no_text_as_they_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli.main", "redact"], input=b"\xff\x00caf\xe9\r\n", check=True, capture_output=True
    )
    assert done.stdout == b"\xff\x00caf\xe9\r\n"


def test_compression_keeps_head_and_tail_and_counts() -> None:
    text = "".join(f"line {number}\n" for number in range(5_000))
    found = conductor("compress", "--json", stdin=text.encode()).json
    assert (found["whole"], found["lines"]) == (False, 5_001)
    assert found["compressed_tokens"] < found["raw_tokens"] / 5
    assert found["text"].startswith("line 0\n")
    assert found["text"].endswith("line 4999\n")
    assert conductor("compress", stdin=b"short\n").out == "short\n"


def test_a_configuration_is_checked_with_its_places(tmp_path: Path) -> None:
    file = tmp_path / "conductor.yml"
    file.write_text("mode: active\nrouns: 3\n")
    answered = conductor("check-config", str(file))
    assert answered.code == 1
    assert "2:1: " in answered.out
    assert conductor("check-config", "--json", str(file)).json["ok"] is False
    file.write_text("rounds: 2\n")
    assert (conductor("check-config", str(file)).code, conductor("check-config", "--json", str(file)).json) == (
        0,
        {"ok": True, "problems": []},
    )


def test_files_that_cannot_be_read_are_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"mode: \xe9\n")
    for command in (("check-config",), ("redact",), ("compress",), ("policy", "check")):
        assert "absent" in _one_sentence(conductor(*command, str(tmp_path / "absent")))
        assert _one_sentence(conductor(*command, str(tmp_path)))
    assert "byte 6" in _one_sentence(conductor("check-config", str(tmp_path / "latin")))


def test_policies_decide_about_a_write_from_the_shell(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps(FACTS))
    allowed = conductor("policy", "check", "--json", str(file))
    assert (allowed.code, allowed.json["decision"], allowed.json["policy_ids"]) == (
        0,
        "allow",
        ["comment-where-we-work"],
    )
    assert len(allowed.json["policy_set_sha256"]) == 64
    file.write_text(json.dumps({**FACTS, "stopped_system": True}))
    denied = conductor("policy", "check", str(file))
    assert denied.code == 1
    assert denied.out.startswith("deny by ")
    file.write_text(json.dumps({**FACTS, "kind": "pull.merge"}))
    assert conductor("policy", "check", str(file)).code == 1


def test_policies_decide_about_publishing_from_the_shell(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    for exposed, publish, code in ((True, "risky", 1), (False, "risky", 0), (True, "auto", 0), (False, "approval", 1)):
        file.write_text(json.dumps({"action": "publish_unattended", "exposed": exposed, "publish": publish}))
        assert conductor("policy", "check", str(file)).code == code


def test_further_policies_are_added_from_a_directory(tmp_path: Path) -> None:
    (tmp_path / "no.cedar").write_text(
        '@id("no-comments")\n@because("quiet please")\nforbid(principal, action == Action::"comment.create", resource);\n'
    )
    file = tmp_path / "request.json"
    file.write_text(json.dumps(FACTS))
    denied = conductor("policy", "check", "--json", "--policies", str(tmp_path), str(file))
    assert (denied.code, denied.json["policy_ids"]) == (1, ["no-comments"])


@pytest.mark.parametrize(
    "request_",
    [
        "nonsense",
        "[1]",
        json.dumps({**FACTS, "own_isue": True}),
        json.dumps({key: value for key, value in FACTS.items() if key != "secret_found"}),
        json.dumps({**FACTS, "installation_id": "many"}),
        json.dumps({"action": "publish_unattended", "exposed": "perhaps"}),
        json.dumps({"action": "publish_unattended", "exposed": True, "publish": "never"}),
    ],
)
def test_a_request_that_cannot_be_decided_is_one_sentence(tmp_path: Path, request_: str) -> None:
    file = tmp_path / "request.json"
    file.write_text(request_)
    assert _one_sentence(conductor("policy", "check", str(file)))


def test_nothing_that_is_printed_steers_the_terminal() -> None:
    shown = safe("a\x1b[31mb\x07\u202ec\u200bd\ne[bold]\U000e0041\udce9")
    assert shown == "a\\x1b[31mb\\x07\\u202ec\\u200bd\ne[bold]\\U000e0041\\udce9"


def test_unknown_commands_and_options_are_refused_by_name() -> None:
    assert conductor("frobnicate").code == 2
    assert conductor("worker", "everything").code == 2
    assert conductor("simulate", "x.yml", "--topology", "cloud").code == 2
