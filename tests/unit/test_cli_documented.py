"""What the README and docs/commands.md say about the command holds: every command is there, and those that end do as written."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from typer.main import get_command

from bot.bootstrap import build, prices_of, records_problem
from bot.cli import doctor
from bot.cli.main import app
from bot.cli.parts_alone import HELD
from bot.domain.money import Usage
from bot.settings import SECRETS, Process, from_environment
from tests.harness.house import House
from tests.harness.shell import Answered, conductor

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text("utf-8")
COMMANDS: Final = (ROOT / "docs" / "commands.md").read_text("utf-8")
SERVERS: Final = {"up", "web", "worker", "beat"}
# They run the whole App as a child process: the flow tests run them.
WHOLE_WAY: Final = {"demo", "try", "simulate"}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House(messy=True) as made:
        yield made.published()


def _ask(house: House, *arguments: str) -> Answered:
    return conductor(*arguments, environment={"CONDUCTOR_DATABASE_URL": house.settings.database_url})


def _names() -> dict[str, set[str]]:
    """Every command with its options."""
    found: dict[str, set[str]] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for tail, inner in getattr(command, "commands", {"": command}).items():
            found[f"{name} {tail}".strip()] = {one for parameter in inner.params for one in parameter.opts}
    return found


def _mentioned(text: str) -> set[str]:
    names = sorted(_names(), key=len, reverse=True)
    used = re.findall(r"(?:`|^ {4}(?:\.venv/bin/)?)conductor ([a-z][a-z -]*)", text, re.MULTILINE)
    return {next(name for name in names if f"{one} ".startswith(f"{name} ")) for one in used}


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    assert _mentioned(COMMANDS) == set(_names())
    assert _mentioned(README) <= set(_names())


def test_every_documented_option_exists() -> None:
    for text in (README, COMMANDS):
        for line in re.findall(r"`conductor [^`]+`", text):
            name = next(iter(_mentioned(line)))
            options = _names()[name] | {"--"}
            assert set(re.findall(r"(?<![\w-])--[a-z]+", line)) <= options, line


def test_whatever_looks_or_acts_has_json() -> None:
    without = {name for name, options in _names().items() if "--json" not in options}
    assert without == SERVERS | WHOLE_WAY | {"setup", "guard"}


def test_the_commands_of_the_readme_do_what_it_says(house: House) -> None:
    block = README.split("## From the shell")[1].split("##")[0]
    lines = [line.strip() for line in block.splitlines() if line.startswith("    conductor ")]
    assert len(lines) == 5
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        answered = _ask(house, *words)
        assert (answered.code, answered.err) == (0, ""), line
    with house.parts.storage.read() as tx:
        assert tx.journal.stopped(repository_id=None, run_id=None)
    assert _ask(house, "resume").code == 0


def test_the_examples_of_policy_requests_are_decided() -> None:
    found = re.findall(r"```json\n(.*?)```", COMMANDS, re.DOTALL)
    answers = [conductor("policy", "check", "--json", "-", stdin=one.encode()).json["decision"] for one in found]
    assert answers == ["allow", "deny"]


def test_a_request_whose_switch_is_a_text_is_refused() -> None:
    request = json.loads(re.findall(r"```json\n(.*?)```", COMMANDS, re.DOTALL)[0])
    answered = conductor("policy", "check", "-", stdin=json.dumps(request | {"stopped_system": "false"}).encode())
    assert (answered.code, answered.out) == (2, "")
    assert "stopped_system" in answered.err


def test_the_configuration_of_the_readme_can_be_used(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "conductor.yml"
    file.write_text(shown)
    assert conductor("check-config", str(file)).out == f"{file}: this can be used\n"


def test_problems_of_a_configuration_stand_at_the_file_that_was_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("mode: active\nbudget: {run: 90}\n")
    assert conductor("check-config", str(file)).out.startswith(f"{file}:2:9: budget: ")
    (problem,) = conductor("check-config", "--json", str(file)).json["problems"]
    assert (problem["line"], problem["column"], problem["key"]) == (2, 9, "budget")


def test_a_batch_with_a_line_that_cannot_be_read_is_bad_use() -> None:
    good = conductor("guard", "--batch", stdin=b'{"command": "rm x"}\n')
    assert (good.code, json.loads(good.out)["decision"]) == (0, "deny")
    bad = conductor("guard", "--batch", stdin=b'{"command": "ls"}\nls\n')
    assert (bad.code, len(bad.out.splitlines())) == (2, 2)


def test_redaction_knows_every_secret_of_the_settings_and_their_files(tmp_path: Path) -> None:
    assert set(HELD) == set(SECRETS)
    (tmp_path / "key").write_text("a value that no rule knows\n")
    given = {"ANTHROPIC_API_KEY_FILE": str(tmp_path / "key")}
    shown = conductor("redact", stdin=b"<a value that no rule knows>", environment=given)
    assert shown.out.startswith("<[secret:anthropic-api-key:")
    lost = conductor("redact", stdin=b"x", environment={"ANTHROPIC_API_KEY_FILE": str(tmp_path / "none")})
    assert (lost.code, lost.out) == (2, "")


@pytest.mark.parametrize("arguments", [("outbox", "--json"), ("redact",), ("--help",)])
def test_a_reader_that_goes_away_is_no_error_to_tell_of(house: House, arguments: tuple[str, ...]) -> None:
    environment = os.environ | {"CONDUCTOR_DATABASE_URL": house.settings.database_url}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "bot.cli.main", *arguments],
            check=False,
            input=b"x\n" * 100_000,
            stdout=output,
            stderr=subprocess.PIPE,
            env=environment,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_cost_of_today_is_told_by_repository(house: House) -> None:
    found = _ask(house, "cost", "--day", "--json").json
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["day"])
    assert found["micro_dollars"] == sum(one["micro_dollars"] for one in found["repositories"])
    assert _ask(house, "cost", "--day").code == 0
    assert _ask(house, "cost", "--day", "--run", house.run.id).code == 2


@pytest.mark.parametrize("arguments", [("runs", "--state", "gone"), ("outbox", "--state", "gone"), ("runs", "-x")])
def test_what_does_not_exist_is_not_asked_for(house: House, arguments: tuple[str, ...]) -> None:
    answered = _ask(house, *arguments)
    assert (answered.code, answered.out) == (2, "")


def test_why_knows_comments_commits_rows_and_threads(house: House) -> None:
    rows = {row.kind: row for row in house.rows()}
    comment, branch = rows["comment.create"], rows["branch.update"]
    sha = branch.response["sha"]
    for ref in (
        comment.github_id,
        comment.github_url,
        f"https://github.com/acme/calc/issues/7#issuecomment-{comment.github_id}",
        comment.token,
    ):
        assert any("comment." in line for line in _because(house, ref))
    for ref in (sha, f"https://github.com/acme/calc/commit/{sha}", branch.token):
        assert any("is branch.update" in line for line in _because(house, ref))
    pull = house.run.known["pull"]
    for ref in ("acme/calc#7", "https://github.com/Acme/calc/issues/7", f"https://github.com/acme/calc/pull/{pull}"):
        because = _because(house, ref)
        assert because[0].startswith(f"run {house.run.id} for acme/calc#7 was asked for by @ana")
        assert any("@ana (maintain) approved plan" in line for line in because)


def _because(house: House, ref: str) -> list[str]:
    answered = _ask(house, "why", ref, "--json")
    assert answered.code == 0, answered.err
    assert answered.json["run"] == house.run.id
    found: list[str] = answered.json["because"]
    return found


@pytest.mark.parametrize("ref", ["F1", "outbox:²", f"outbox:{'9' * 40}", "²", "acme/none#7", "a" * 40, "", "%", "F٣"])
def test_why_says_what_it_does_not_know_in_one_sentence(house: House, ref: str) -> None:
    answered = _ask(house, "why", ref)
    assert (answered.code, answered.out) == (2, "")
    assert re.fullmatch(r"conductor: [^\n]+\n", answered.err)


def test_looking_changes_nothing_and_making_records_is_left_to_the_app(house: House, tmp_path: Path) -> None:
    assert records_problem(house.settings.database_url) == ""
    empty = tmp_path / "empty.db"
    empty.touch()
    for command in (("runs",), ("stop",), ("audit", "verify")):
        answered = conductor(*command, environment={"CONDUCTOR_DATABASE_URL": f"sqlite:///{empty}"})
        assert answered.code == 2
        assert "holds no records of Conductor" in answered.err
    engine = sa.create_engine(f"sqlite:///{empty}")
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    answered = conductor("runs", environment={"CONDUCTOR_DATABASE_URL": "postgresql+psycopg://u:hidden@127.0.0.1:1/x"})
    assert (answered.code, answered.out) == (2, "")
    assert "hidden" not in answered.err


@pytest.mark.parametrize(("revision", "problem"), [("0001", "is of an older release (0001)"), ("9999", "")])
def test_an_older_schema_is_named_and_a_newer_one_served(tmp_path: Path, revision: str, problem: str) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:r)"), {"r": revision})
    engine.dispose()
    assert records_problem(url).endswith(problem)
    assert bool(records_problem(url)) is bool(problem)


def _doctor(process: str, **environment: str) -> dict[str, Any]:
    answered = conductor("doctor", *(("--process", process) if process else ()), "--json", environment=environment)
    found = answered.json
    assert answered.code == int(not found["ok"])
    return {"process": found["process"]} | {one["name"]: (one["state"], one["said"]) for one in found["checks"]}


def test_the_doctor_judges_secrets_urls_and_the_database(tmp_path: Path) -> None:
    broker = {"CONDUCTOR_DATA": str(tmp_path / "data"), "CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0"}
    found = _doctor("web", **broker, CONDUCTOR_WEBHOOK_SECRET="short", CONDUCTOR_PUBLIC_URL="http://x.example")
    assert found["webhook secret"][0] == "missing"
    assert "5 characters" in found["webhook secret"][1]
    assert found["public URL"][0] == "missing"
    assert found["database"][0] == "warning"
    assert not (tmp_path / "data").exists()
    found = _doctor("web", **broker, CONDUCTOR_WEBHOOK_SECRET="s" * 32, CONDUCTOR_PUBLIC_URL="https://x.example")
    assert found["webhook secret"][0] == found["public URL"][0] == "ok"
    assert found["broker"][0] == "missing"
    found = _doctor("web", **broker, CONDUCTOR_DATABASE_URL="postgresql+psycopg://u:hidden@127.0.0.1:1/x")
    assert found["webhook secret"][0] == "missing"
    assert found["webhook secret"][1].startswith("CONDUCTOR_WEBHOOK_SECRET is not set: ")
    assert found["database"][0] == "missing"
    assert "hidden" not in str(found)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ('{"new-model": {"input": 1, "output": 2, "cache_write": 3, "cache_read": 4}}', 0, "new-model"),
        ('{"new-model": {"input": 1}}', 1, "'new-model' is wrong at output"),
        ('{"other": {"input": 1, "output": 2, "cache_write": 3, "cache_read": 4}}', 1, "has no known price"),
        ("[]", 1, "holds no object: write"),
        ("{", 1, "which is no JSON in UTF-8"),
        (None, 1, "cannot be read: No such file"),
    ],
)
def test_prices_of_ones_own_come_from_a_file(tmp_path: Path, content: str | None, code: int, said: str) -> None:
    """And the model that is asked where a repository names none must have one."""
    file = tmp_path / "prices.json"
    if content is not None:
        file.write_text(content)
    given = {"CONDUCTOR_PRICES": str(file), "CONDUCTOR_MODEL": "new-model", "CONDUCTOR_BROKER_URL": "redis://r"}
    found = _doctor("agents", **given, ANTHROPIC_API_KEY="x" * 20, CONDUCTOR_DATA=str(tmp_path))
    (state, sentence) = found["prices"] if "prices" in found else found["settings"]
    assert (state == "missing") == bool(code)
    assert said in sentence


def test_prices_reach_the_agents(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text('{"new-model": {"input": 2000000, "output": 0, "cache_write": 0, "cache_read": 0}}')
    given = {"CONDUCTOR_PRICES": str(file), "CONDUCTOR_BROKER_URL": "redis://r", "ANTHROPIC_API_KEY": "x"}
    settings = from_environment(Process.AGENTS, given)
    assert prices_of(settings).cost("new-model", Usage(3, 0)) == 6


@pytest.mark.parametrize("process", [Process.WEB, Process.BEAT])
def test_who_writes_no_files_needs_no_directory(tmp_path: Path, process: Process) -> None:
    (tmp_path / "file").touch()
    given = {
        "CONDUCTOR_DATA": str(tmp_path / "file" / "data"),
        "CONDUCTOR_DATABASE_URL": f"sqlite:///{tmp_path / 'records' / 'c.db'}",
        "CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        **({"CONDUCTOR_WEBHOOK_SECRET": "s" * 32} if process is Process.WEB else {}),
    }
    settings = from_environment(process, given)
    build(settings).storage.close()
    assert (tmp_path / "records" / "c.db").is_file()
    assert {"data", "artifacts"}.isdisjoint(_doctor(process, **given))
    with pytest.raises(NotADirectoryError):
        build(settings.model_copy(update={"process": Process.CONTROL}))


def test_the_doctor_sees_records_of_this_release(house: House) -> None:
    found = _doctor(
        "beat", CONDUCTOR_DATABASE_URL=house.settings.database_url, CONDUCTOR_BROKER_URL="redis://127.0.0.1:1"
    )
    assert found["database"] == ("ok", "")


def test_the_doctor_warns_root(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, state in ((0, "warning"), (1000, "ok")):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert doctor._asked("user", doctor._user).state == state


@pytest.mark.parametrize(
    ("environment", "process"),
    [
        ({}, "up"),
        ({"CONDUCTOR_WEBHOOK_SECRET": "x"}, "up"),
        ({"CONDUCTOR_BROKER_URL": "redis://r"}, "control"),
        ({"CONDUCTOR_BROKER_URL": "redis://r", "CONDUCTOR_WEBHOOK_SECRET_FILE": "/s"}, "web"),
        ({"CONDUCTOR_BROKER_URL": "redis://r", "ANTHROPIC_API_KEY": "x"}, "agents"),
        ({"CONDUCTOR_BROKER_URL": "redis://r", "CONDUCTOR_APP_PRIVATE_KEY": "x"}, "github"),
        ({"CONDUCTOR_BROKER_URL": "redis://r", "CONDUCTOR_APP_PRIVATE_KEY": "x", "ANTHROPIC_API_KEY": "x"}, "up"),
    ],
)
def test_the_doctor_takes_the_process_that_the_environment_fits(environment: dict[str, str], process: str) -> None:
    assert doctor.fitting(environment) == process


def test_setup_lists_the_environment_of_every_process(tmp_path: Path) -> None:
    shown = conductor("setup", "--url", "https://bots.acme.org", "--directory", str(tmp_path)).out
    lines = dict(line.split(maxsplit=1) for line in shown.splitlines() if line.startswith("  "))
    assert set(lines) == set(Process) - {Process.SHELL}
    assert lines["github"] == "CONDUCTOR_APP_PRIVATE_KEY, CONDUCTOR_APP_ID"
    assert lines["control"] == "no secret"


def test_a_shell_holds_no_secret() -> None:
    settings = from_environment(Process.SHELL, dict.fromkeys(SECRETS, "a value"))
    assert settings.held == {}


def test_the_passwords_of_database_and_broker_are_held_unless_they_could_be_words() -> None:
    urls = {
        "CONDUCTOR_DATABASE_URL": "postgresql+psycopg://conductor:corr%2Fect-horse-battery@db/conductor",
        "CONDUCTOR_BROKER_URL": "redis://:conductor@redis/0",
    }
    assert from_environment(Process.SHELL, urls).held == {"database-password": "corr/ect-horse-battery"}
