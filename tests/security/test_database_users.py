"""How a deployment comes by its database users: deploy/postgres/users.sh on an empty server, then `conductor migrate`."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psycopg
import pytest
import sqlalchemy as sa

from bot.adapters.storage import migrate
from bot.adapters.storage.authority import RIGHTS
from bot.bootstrap import migrate_records, records_problem, standing_of
from bot.domain.errors import SettingsError
from bot.settings import Process
from tests.contract.databases import as_process, empty_url, plain
from tests.harness.services import PostgresServer
from tests.harness.shell import conductor

SCRIPT: Final = Path(__file__).parents[2] / "deploy" / "postgres" / "users.sh"
WHO: Final = ("owner", *RIGHTS)


def passwords_in(folder: Path) -> Path:
    """A directory with a password for everybody: as an editor leaves it, and with what SQL and a shell would read."""
    for who in WHO:
        (folder / f"{who}_database_password").write_text(f'it\'s"{secrets.token_hex(8)}"$HOME\\%\n')
    return folder


def run_script(url: sa.URL, passwords: Path) -> subprocess.CompletedProcess[str]:
    places = {"PGHOST": str(url.host), "PGPORT": str(url.port), "PGPASSWORD": str(url.password)}
    names = {"POSTGRES_USER": str(url.username), "POSTGRES_DB": str(url.database)}
    environment = {"PATH": os.environ["PATH"], "CONDUCTOR_DATABASE_PASSWORDS": str(passwords), **places, **names}
    return subprocess.run([SCRIPT], check=False, capture_output=True, text=True, env=environment)


def url_of(url: sa.URL, who: str, passwords: Path) -> str:
    password = (passwords / f"{who}_database_password").read_text().removesuffix("\n")
    return url.set(username=f"conductor_{who}_user", password=password).render_as_string(hide_password=False)


def test_a_missing_password_is_named(tmp_path: Path) -> None:
    done = run_script(sa.make_url("postgresql://nobody:x@127.0.0.1:1/none"), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"users.sh: {tmp_path}/owner_database_password is missing or empty: write the password of the database user of"
        " owner into it\n"
    )


def test_users_owner_and_processes_of_a_deployment(tmp_path: Path) -> None:
    with PostgresServer() as server:
        url = sa.make_url(server.new_database())
        _an_owner_that_may_make_no_roles_is_told(url)
        words = passwords_in(tmp_path)
        for _ in range(2):
            done = run_script(url, words)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        _each_has_its_rights({who: url_of(url, who, words) for who in WHO})


def _an_owner_that_may_make_no_roles_is_told(url: sa.URL) -> None:
    with psycopg.connect(plain(url.render_as_string(hide_password=False)), autocommit=True) as link:
        link.execute("CREATE ROLE plain_owner LOGIN PASSWORD 'plain'")
        link.execute(f"ALTER DATABASE {url.database} OWNER TO plain_owner".encode())
        with pytest.raises(
            SettingsError, match=r"lacks the role conductor_web.*deploy/postgres/users\.sh as a superuser"
        ):
            migrate(url.set(username="plain_owner", password="plain").render_as_string(hide_password=False))
        assert link.execute("SELECT to_regclass('runs')").fetchone() == (None,)


def _each_has_its_rights(users: Mapping[str, str]) -> None:
    with pytest.raises(
        SettingsError, match=r"revision none.*conductor_agents_user may not change tables.*conductor migrate"
    ):
        migrate(users["agents"])
    migrate_records(users["owner"])
    migrate_records(users["owner"])
    for process in RIGHTS:
        migrate(users[process])
        assert records_problem(users[process]) == ""
        found = standing_of(users[process], Process(process))
        assert found is not None
        assert (found.user, found.more, found.less) == (f"conductor_{process}_user", (), ())
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege, match="temporary tables")
    with psycopg.connect(plain(users["agents"])) as link, refused:
        link.execute("CREATE TEMP TABLE edges (workflow text)")
    _the_doctor_compares(users)


def _the_doctor_compares(users: Mapping[str, str]) -> None:
    for user, process, state, says in (
        ("control", "control", "ok", "conductor_control_user has the rights of control alone"),
        ("owner", "control", "warning", "owns the tables"),
        ("control", "beat", "warning", "INSERT approvals"),
        ("beat", "control", "missing", "lacks INSERT approvals"),
    ):
        environment = {"CONDUCTOR_DATABASE_URL": users[user], "CONDUCTOR_BROKER_URL": "redis://127.0.0.1:1/0"}
        answered = conductor("doctor", "--process", process, "--json", environment=environment)
        (found,) = (one for one in answered.json["checks"] if one["name"] == "database user")
        assert found["state"] == state, found
        assert says in found["said"]


def test_migrate_is_a_command_of_its_own(tmp_path: Path) -> None:
    environment = {"CONDUCTOR_DATA": str(tmp_path / "data")}
    asked = [conductor("migrate", "--json", environment=environment).json for _ in range(2)]
    assert asked == [{"migrated": True}, {"migrated": False}]
    assert "this release's schema" in conductor("migrate", environment=environment).out
    assert records_problem(f"sqlite:///{tmp_path / 'data' / 'conductor.db'}") == ""
    url = as_process(empty_url("postgres", tmp_path), "control")
    answered = conductor("migrate", environment={"CONDUCTOR_DATABASE_URL": url})
    assert answered.code == 2
    assert re.search(
        r"revision none, this release needs \d+, and its user \w+ may not change tables: run", answered.err
    )
