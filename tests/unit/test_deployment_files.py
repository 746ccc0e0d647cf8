"""The files that deploy Conductor, linted: secrets apart, nobody root, everything pinned. They are not run here."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.app import ALIVE, ALIVE_S

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = ("web", "control", "agents", "github", "beat")
# DESIGN section 3: the one secret of each process, by the environment variable that carries it.
OWN_SECRETS = {
    "web": {"webhook_secret"},
    "control": set[str](),
    "agents": {"anthropic_api_key"},
    "github": {"app_private_key"},
    "beat": set[str](),
}
SECRET_VARIABLES = {
    "webhook_secret": "CONDUCTOR_WEBHOOK_SECRET_FILE",
    "anthropic_api_key": "ANTHROPIC_API_KEY_FILE",
    "app_private_key": "CONDUCTOR_APP_PRIVATE_KEY_FILE",
    **{f"{who}_database_password": "CONDUCTOR_DATABASE_PASSWORD_FILE" for who in ("owner", *PROCESSES)},
}
USERS_SCRIPT = "deploy/postgres/users.sh"


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _yaml(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(_text(name))
    return loaded


def _service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _yaml("compose.yml")["services"][name]
    return found


@pytest.mark.parametrize("process", PROCESSES)
def test_a_service_holds_only_its_own_secret(process: str) -> None:
    service = _service(process)
    assert set(service["secrets"]) == OWN_SECRETS[process] | {f"{process}_database_password"}
    environment = service["environment"]
    held = {
        variable for variable in environment if variable.endswith(("_FILE", "_KEY", "_SECRET", "_TOKEN", "_PASSWORD"))
    }
    assert held == {SECRET_VARIABLES[name] for name in service["secrets"]}
    assert {environment[SECRET_VARIABLES[name]] for name in service["secrets"]} == {
        f"/run/secrets/{name}" for name in service["secrets"]
    }
    assert "env_file" not in service


def test_no_two_services_share_a_secret_but_a_database_user_and_the_database() -> None:
    compose = _yaml("compose.yml")
    assert set(compose["secrets"]) == {*SECRET_VARIABLES, "postgres_password"}
    for secret in compose["secrets"]:
        holders = {name for name, service in compose["services"].items() if secret in service.get("secrets", [])}
        assert len(holders - {"postgres"}) == (secret != "postgres_password"), secret
        assert ("postgres" in holders) == secret.endswith("_password"), secret


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_connects_as_its_own_database_user(process: str) -> None:
    url = f"postgresql+psycopg://conductor_{process}_user@{{}}:5432/conductor"
    assert _service(process)["environment"]["CONDUCTOR_DATABASE_URL"] == url.format("postgres")
    line = f"CONDUCTOR_DATABASE_URL={url.format('127.0.0.1')}"
    assert line in _text(f"deploy/env/{process}.env.example").splitlines()


def test_the_owner_of_the_tables_migrates_before_anybody_starts_and_serves_nobody() -> None:
    compose = _yaml("compose.yml")
    migrate = compose["services"]["migrate"]
    assert (migrate["command"], migrate["restart"], migrate["networks"]) == (["migrate"], "no", ["inside"])
    assert migrate["environment"]["CONDUCTOR_DATABASE_URL"].startswith("postgresql+psycopg://conductor_owner_user@")
    assert migrate["user"] == "10001:10001"
    for process in PROCESSES:
        assert _service(process)["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    postgres = compose["services"]["postgres"]
    assert f"./{USERS_SCRIPT}:/docker-entrypoint-initdb.d/10-users.sh:ro" in postgres["volumes"]
    assert postgres["environment"]["POSTGRES_USER"] == "postgres"


def test_a_workers_health_is_the_file_that_it_touches(tmp_path: Path) -> None:
    kind, command = _service("control")["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    script = ["sh", "-c", command.replace("$$", "$")]
    environment = {"PATH": os.environ["PATH"], "CONDUCTOR_DATA": str(tmp_path)}
    alive = tmp_path / ALIVE
    for age, code in ((None, 1), (ALIVE_S * 2, 0), (600.0, 1)):
        if age is not None:
            alive.touch()
            os.utime(alive, (time.time() - age,) * 2)
        assert subprocess.run(script, env=environment, capture_output=True, check=False).returncode == code, age


@pytest.mark.parametrize("process", PROCESSES)
def test_a_service_is_not_root_and_cannot_change_its_image(process: str) -> None:
    service = _service(process)
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert not any("docker.sock" in volume for volume in service["volumes"])
    assert "healthcheck" in service


def test_only_agents_have_the_sandbox_profile_and_only_web_a_port() -> None:
    services = _yaml("compose.yml")["services"]
    agents = services["agents"]["security_opt"]
    assert "seccomp=deploy/seccomp-agents.json" in agents
    assert "apparmor=unconfined" in agents
    assert "systempaths=unconfined" in agents
    assert not any(
        "seccomp=unconfined" in option for service in services.values() for option in service.get("security_opt", [])
    )
    for name, service in services.items():
        if name != "agents":
            assert not any("unconfined" in option for option in service.get("security_opt", [])), name
    assert [name for name, service in services.items() if "ports" in service] == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in services["web"]["ports"])


def test_database_broker_and_deciders_have_no_way_out() -> None:
    compose = _yaml("compose.yml")
    assert compose["networks"]["inside"] == {"internal": True}
    for name in ("control", "beat", "migrate", "redis", "postgres"):
        assert compose["services"][name]["networks"] == ["inside"], name


def test_workers_share_artifacts_and_nothing_else() -> None:
    volumes = {name: set(_service(name).get("volumes", [])) for name in PROCESSES}
    shared = set.intersection(*(volumes[name] for name in ("control", "agents", "github")))
    assert shared == {"artifacts:/var/lib/conductor/artifacts"}


def test_every_image_is_pinned_by_an_exact_tag() -> None:
    compose = _yaml("compose.yml")
    for name in ("redis", "postgres"):
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z]+", compose["services"][name]["image"]), name
    version = tomllib.loads(_text("pyproject.toml"))["project"]["version"]
    assert {compose["services"][name]["image"] for name in PROCESSES} == {f"conductor:${{CONDUCTOR_TAG:-{version}}}"}
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-[a-z]+$", _text("Dockerfile"), re.MULTILINE)


def test_the_image_runs_as_a_user_with_the_sandbox_inside_and_no_secret() -> None:
    lines = [line.strip() for line in _text("Dockerfile").splitlines() if line.strip() and not line.startswith("#")]
    users = [line for line in lines if line.startswith("USER ")]
    assert users[-1] == "USER 10001:10001"
    assert lines.index(users[-1]) > max(number for number, line in enumerate(lines) if line.startswith(("RUN", "COPY")))
    assert len([line for line in lines if line.startswith("FROM ")]) == 2
    assert any("bubblewrap" in line and "git" in line for line in lines)
    assert any("--require-hashes -r requirements.lock" in line for line in lines)
    assert not re.search(r"(SECRET|PRIVATE_KEY|API_KEY|PASSWORD|TOKEN)", "\n".join(lines))


def test_the_build_sees_only_what_it_needs() -> None:
    lines = [line for line in _text(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert not any("secrets" in line or "deploy" in line for line in lines)


def _profile() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_text("deploy/seccomp-agents.json"))
    return loaded


def test_the_seccomp_profile_denies_by_default_and_allows_what_bubblewrap_calls() -> None:
    profile = _profile()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {entry["action"] for entry in profile["syscalls"]} == {"SCMP_ACT_ALLOW"}
    plain = {name for entry in profile["syscalls"] if "args" not in entry for name in entry["names"]}
    needed = {
        "clone",
        "clone3",
        "unshare",
        "setns",
        "mount",
        "umount2",
        "pivot_root",
        "sethostname",
        "prctl",
        "seccomp",
    }
    needed |= {"capset", "capget", "execve", "wait4", "openat", "read", "write", "mmap", "futex", "prlimit64", "statx"}
    assert needed <= plain


def test_the_seccomp_profile_refuses_what_reaches_the_kernel_or_other_processes() -> None:
    names = {name for entry in _profile()["syscalls"] for name in entry["names"]}
    refused = {"bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "userfaultfd", "keyctl", "add_key"}
    refused |= {
        "request_key",
        "init_module",
        "finit_module",
        "kexec_load",
        "reboot",
        "swapon",
        "settimeofday",
        "ptrace",
    }
    refused |= {"process_vm_readv", "process_vm_writev", "open_by_handle_at", "iopl", "fsopen", "fsmount", "move_mount"}
    assert names & refused == set()
    sockets = [entry for entry in _profile()["syscalls"] if "socket" in entry["names"]]
    assert [entry["args"] for entry in sockets] == [[{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]]


def test_the_app_asks_for_the_permissions_of_the_design_and_no_more() -> None:
    manifest = _yaml("app.yml")
    assert manifest["default_permissions"] == {
        "metadata": "read",
        "contents": "write",
        "issues": "write",
        "pull_requests": "write",
        "checks": "write",
        "actions": "read",
        "statuses": "read",
    }
    assert "workflows" not in manifest["default_permissions"]
    needed = {
        "issues",
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "check_run",
        "check_suite",
        "status",
        "push",
    }
    assert needed <= set(manifest["default_events"])
    # GitHub refuses a manifest that subscribes to what every App is sent anyway.
    assert not {"installation", "installation_repositories"} & set(manifest["default_events"])
    assert manifest["hook_attributes"]["url"].endswith("/webhooks/github")
    assert manifest["public"] is False


@pytest.mark.parametrize("process", PROCESSES)
def test_an_environment_example_holds_only_its_own_secret_and_none_in_the_clear(process: str) -> None:
    lines = [line for line in _text(f"deploy/env/{process}.env.example").splitlines() if "=" in line]
    names = {line.split("=")[0] for line in lines}
    assert names & set(SECRET_VARIABLES.values()) == {
        SECRET_VARIABLES[name] for name in OWN_SECRETS[process] | {f"{process}_database_password"}
    }
    assert f"CONDUCTOR_DATABASE_PASSWORD_FILE=/etc/conductor/{process}_database_password" in lines
    assert not names & {name.removesuffix("_FILE") for name in SECRET_VARIABLES.values()}


def test_the_lock_pins_every_requirement_with_hashes_and_names_no_index() -> None:
    text = _text("requirements.lock")
    assert not re.search(r"://|--index|--find-links|--extra|#", text)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all(re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z, ]+\])?==\S+ \\\n", block) for block in blocks)
    assert all("--hash=sha256:" in block for block in blocks)
    locked = {re.split(r"[=\[]", block)[0] for block in blocks}
    project = tomllib.loads(_text("pyproject.toml"))
    asked = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[\[=<>]", requirement)[0].lower().replace("_", "-") for requirement in asked}
    assert names <= locked
    assert {"setuptools", "wheel"} <= locked


@pytest.mark.parametrize("script", [".ci/run", "scripts/setup", "scripts/bench", USERS_SCRIPT])
def test_shell_scripts_are_strict_executable_and_parse(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & stat.S_IXUSR
    lines = path.read_text("utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_ci_runs_what_people_run() -> None:
    text = _text(".ci/run")
    for command in ("make check", "make test", 'make demo ARGS="--yes --report demo.json"'):
        assert command in text
    help_text = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in ("help", "demo", "test", "check", "bench", "up", "format", "lock"):
        assert re.search(rf"^  make {target} ", help_text, re.MULTILINE), target


def _bare_machine(tmp_path: Path, *, user: str) -> subprocess.CompletedProcess[str]:
    """Runs scripts/setup in a copy of the project on a PATH without git, bubblewrap, servers and apt-get."""
    project, programs = tmp_path / "project", tmp_path / "bin"
    (project / "scripts").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "scripts/setup", project / "scripts/setup")
    for name in ("bash", "tr", "cat", "sha256sum", "cut", "dirname"):
        (programs / name).symlink_to(shutil.which(name) or name)
    (programs / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (programs / "python3").write_text("#!/bin/sh\nexit 0\n")
    for name in ("id", "python3"):
        (programs / name).chmod(0o755)
    return subprocess.run(
        [shutil.which("bash") or "bash", str(project / "scripts/setup"), "demo"],
        env={"PATH": str(programs)},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("user", ["0", "1000"])
def test_setup_says_in_one_sentence_what_a_machine_without_apt_or_root_lacks(tmp_path: Path, user: str) -> None:
    done = _bare_machine(tmp_path, user=user)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "setup: this machine lacks what 'make demo' needs; install it as root with: apt-get install git bubblewrap\n"
    )


def test_an_unknown_setup_target_is_refused() -> None:
    done = subprocess.run(
        [ROOT / "scripts/setup", "lunch"], check=False, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 1
    assert "unknown target 'lunch'" in done.stderr
