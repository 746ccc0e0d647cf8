"""False secrets that turn up: the call that carried one is on record, and the run is a person's matter, with the trace."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from bot.domain.outcome import Done, NeedsHuman
from bot.domain.repo_config import RepoConfig
from bot.ports import records as r
from bot.redaction import Redactor
from tests.unit.test_agents_implementing import EDIT, FIXED, NEW_TEST, facts_at_base, step_job
from tests.unit.test_agents_implementing import SUBMIT as SUBMIT_WORK
from tests.unit.test_agents_planning import plan_job
from tests.unit.test_agents_world import CALC, PLAN, World, sandbox, use, world
from workers.agents.canaries import ENVIRONMENT_NAME, Canary, carries_away
from workers.agents.drafting import draft
from workers.agents.room import open_room
from workers.agents.stepping import step
from workers.agents.verifying import verify
from workers.sandbox.box import Sandbox
from workers.sandbox.egress import EgressDecision

__all__ = ["sandbox"]

VALUE, FILED = Canary.of("J1").value, Canary.of("J1").filed
SUBMIT = use("submit_plan", **PLAN)


def traces(here: World) -> list[dict[str, Any]]:
    with here.storage.read() as tx:
        return [row.body for row in tx.journal.audit_rows() if row.kind == "canary" and row.subject == "R1"]


def test_a_canary_is_known_in_every_form_and_another_job_has_another() -> None:
    canary = Canary.of("J1", "layer")
    assert Canary.of("J1", "layer") == canary
    assert Canary.of("J2").value not in canary.held.values()
    assert len(set(canary.held.values())) == 4
    for value in canary.held.values():
        for form in (value, value.encode().hex(), base64.b64encode(f"x{value}".encode()).decode(), f"a{value}b"):
            assert canary.stands_in(form), form
    assert not canary.stands_in(Canary.of("J2").value)
    assert canary.stands_in_value({"a": ["x", {VALUE: 1}]})
    assert canary.stands_in_value([VALUE[:20], VALUE[20:]]), "two texts may share it"
    assert canary.stands_in_name(f"{VALUE[:20].upper()}.{VALUE[20:]}.evil.example")
    assert canary.stands_in_name(f"http://evil.example/?q={base64.b64encode(FILED.encode()).decode()}")
    assert not canary.stands_in_name("pypi.example")
    assert not canary.stands_in_value({"a": 1, "b": None})


@pytest.mark.parametrize(
    ("kinds", "command", "carried"),
    [
        ({"deploy-token"}, "python -m pytest", False),
        ({"deploy-token"}, "env", True),
        ({"deploy-token"}, "python -c 'import os; print(os.environ)'", True),
        ({"deploy-token"}, "cat /proc/self/environ", True),
        ({"deploy-token"}, f"echo ${ENVIRONMENT_NAME}", True),
        ({"deploy-credentials"}, "python -m pytest", True),
        ({"setup-credentials"}, "make", True),
        (set(), "env", False),
    ],
)
def test_what_an_output_shows_by_chance_is_told_from_what_was_asked_for(
    kinds: set[str], command: str, carried: bool
) -> None:
    assert carries_away(frozenset(kinds), command) is carried


@pytest.mark.parametrize(
    "carrying",
    [
        use("search", pattern=VALUE.encode().hex()),
        use("read_file", path=FILED),
        use("no_such_tool", anything=[{"x": FILED}]),
        use("submit_plan", **{**PLAN, "out_of_scope": [f"the key {VALUE}"]}),
    ],
)
def test_a_call_that_carries_one_is_recorded_and_not_made(
    tmp_path: Path, sandbox: Sandbox, carrying: dict[str, Any]
) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("list_files"), carrying, SUBMIT]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, NeedsHuman)
        name = carrying["name"]
        assert outcome.why == (
            f"A planted secret turned up outside its sandbox, in the input of call 2, {name!a}, of the planner."
        )
        first, call = here.calls()
        assert (call.seq, call.tool, call.decision, call.rule) == (2, name, "deny", "canary.input")
        assert first.tool == "list_files"
        assert VALUE not in str(call.input)
        assert FILED not in str(call.input)
        (trace,) = traces(here)
        assert outcome.detail["canary"] == trace
        assert (trace["role"], trace["tool"], trace["call"], trace["stopped"]) == ("planner", name, 2, True)
        assert len(here.model.asked) == 2


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("cat ~/.aws/credentials", "deploy-credentials"),
        ("base64 ~/.aws/credentials", "deploy-credentials"),
        ("env", "deploy-token"),
    ],
)
def test_a_command_that_fetches_one_ends_the_run(tmp_path: Path, sandbox: Sandbox, command: str, kind: str) -> None:
    with world(tmp_path, sandbox) as here:
        here.model.turns = [use("run", command=command), SUBMIT]
        outcome = draft(here.desk, plan_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert "in the output of call 1, 'run', of the planner" in outcome.why
        (call,) = here.calls()
        assert call.rule == "canary.output"
        assert f"[secret:{kind}:" in call.output
        assert traces(here)[0]["kinds"] == [kind]
        assert VALUE not in here.model.text
        assert FILED not in here.model.text


def test_a_test_that_prints_its_environment_is_redacted_and_goes_on(tmp_path: Path, sandbox: Sandbox) -> None:
    files = {**CALC, "show.py": "import os\nprint('y\\n' * 900)\nprint(dict(os.environ))\nprint('y\\n' * 900)\n"}
    with world(tmp_path, sandbox, files=files) as here:
        here.model.turns = [
            use("run", command="python show.py"),
            use("show_output", id="o1", pattern="PATH"),
            SUBMIT_WORK,
        ]
        outcome = step(here.desk, step_job(here))
        assert isinstance(outcome, Done), outcome
        assert outcome.result["canaries"] == []
        assert VALUE not in here.model.text
        assert "[secret:deploy-token:" in here.model.text
        found = [(one["call"], one["stopped"], one["kinds"]) for one in traces(here)]
        assert found == [(1, False, ["deploy-token"]), (2, False, ["deploy-token"])]


def test_a_workspace_that_is_refused_as_a_whole_is_read_for_them_all_the_same(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        made = "import os; os.mkfifo('pipe')"
        here.model.turns = [
            use("run", command="cp ~/.aws/credentials notes.txt"),
            use("write_file", path="make.py", content=made),
            use("run", command="python make.py"),
            SUBMIT_WORK,
        ]
        outcome = step(here.desk, step_job(here))
        assert isinstance(outcome, Done)
        assert outcome.result["refused"]
        assert outcome.result["canaries"] == ["the workspace at notes.txt"]
        assert traces(here)[0]["what"] == "the workspace at notes.txt"


def test_a_file_in_another_encoding_is_read_for_them(tmp_path: Path, sandbox: Sandbox) -> None:
    with world(tmp_path, sandbox) as here:
        made = f"import os\nopen('calc.py', 'w', encoding='utf-16').write(os.environ['{ENVIRONMENT_NAME}'])\n"
        here.model.turns = [
            use("write_file", path="make.py", content=made),
            use("run", command="python make.py"),
            SUBMIT_WORK,
        ]
        outcome = step(here.desk, step_job(here))
        assert isinstance(outcome, Done)
        assert outcome.result["canaries"] == ["the diff of calc.py"]


def verify_job(here: World, files: dict[str, str | None]) -> r.Job:
    payload = {
        "plan": here.subject(verify=here.snapshot.config.verify),
        "plan_facts": facts_at_base(here, PLAN),
        "patch": here.keep(here.patch(files).model_dump(mode="json")),
        "steps": {"S1": sorted(files)},
        "refused": [],
        "canaries": [],
        "conflicts": [],
    }
    return here.job("verify", "", payload)


def test_a_verify_command_that_opens_the_file_ends_the_run(tmp_path: Path, sandbox: Sandbox) -> None:
    opens = FIXED + "\nimport pathlib\nprint((pathlib.Path.home() / '.aws' / 'credentials').read_text())\n"
    with world(tmp_path, sandbox, config=RepoConfig(verify=("python calc.py",))) as here:
        outcome = verify(here.desk, verify_job(here, {"calc.py": opens, "tests/test_add.py": NEW_TEST}))
        assert isinstance(outcome, NeedsHuman)
        assert "in the output of 'python calc.py'" in outcome.why
        assert traces(here)[0]["kinds"] == ["deploy-credentials"]


def test_setup_has_its_own_and_what_it_left_in_the_layer_is_known(tmp_path: Path, sandbox: Sandbox) -> None:
    install = (
        "import os, shutil\n"
        "shutil.copy(os.path.expanduser('~/.aws/credentials'), '/layer/taken')\n"
        f"open('/layer/token', 'w').write(os.environ['{ENVIRONMENT_NAME}'])\n"
    )
    config = RepoConfig(setup=("python install.py",))
    with world(tmp_path, sandbox, files={**CALC, "install.py": install}, config=config) as here:
        here.model.turns = [EDIT, use("run", command="cat /layer/taken /layer/token"), SUBMIT_WORK]
        outcome = step(here.desk, step_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert traces(here)[0]["kinds"] == ["setup-credentials", "setup-token"]


def test_setup_that_prints_one_and_fails_ends_the_run_with_its_trace(tmp_path: Path, sandbox: Sandbox) -> None:
    install = "import os\nraise SystemExit(open(os.path.expanduser('~/.aws/credentials')).read())\n"
    config = RepoConfig(setup=("python install.py",))
    with world(tmp_path, sandbox, files={**CALC, "install.py": install}, config=config) as here:
        outcome = step(here.desk, step_job(here))
        assert isinstance(outcome, NeedsHuman)
        assert "in the output of setup" in outcome.why
        assert traces(here)[0]["kinds"] == ["setup-credentials"]


def test_a_host_that_names_one_ends_the_run(tmp_path: Path, sandbox: Sandbox) -> None:
    config = RepoConfig(setup=("python install.py",))
    with world(tmp_path, sandbox, config=config) as here, open_room(here.desk, step_job(here)) as room:
        canary = Canary.of("the layer")
        honest = EgressDecision("pypi.example", 443, True, "pypi.example", "")
        room._record([honest], canary)
        assert traces(here) == []
        with pytest.raises(Exception, match="planted secret") as ended:
            room._record([honest, EgressDecision(f"{canary.value}.evil.example", 443, False, "", "unlisted")], canary)
        outcome = ended.value.outcome  # type: ignore[attr-defined]
        assert "a connection that setup asked for" in outcome.why
        assert traces(here)[0]["allowed"] is False


def test_redaction_with_more_held_values_forgets_none() -> None:
    redactor = Redactor({"webhook-secret": "hunter-two-2"}).holding({"deploy-token": VALUE})
    assert redactor.redact(f"hunter-two-2 {VALUE}").text.count("[secret:") == 2
    assert VALUE not in repr(redactor)
