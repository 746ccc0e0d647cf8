"""Risk is read from paths and facts."""

from __future__ import annotations

import pytest

from bot.domain.plan import StepPath
from bot.domain.risk import Risk, is_manifest, is_migration, risk


def _risk(
    *paths: str,
    use: str = "edit",
    protected: tuple[str, ...] = (),
    ids_readable: bool = True,
    suspicious_edit: bool = False,
) -> Risk:
    entries = [StepPath.model_validate({"path": path, "use": use}) for path in paths]
    return risk(entries, protected, ids_readable=ids_readable, suspicious_edit=suspicious_edit)


def test_an_ordinary_change_is_normal() -> None:
    assert _risk("src/a.py", "tests/test_a.py") == Risk("normal", ())


@pytest.mark.parametrize(
    "path",
    [
        "package.json",
        "web/package-lock.json",
        "requirements.txt",
        "requirements-dev.txt",
        "requirements/base.txt",
        "services/requirements/base.in",
        "pyproject.toml",
        "uv.lock",
        "go.sum",
        "Cargo.toml",
        "Gemfile",
        "sub/pom.xml",
        "app/build.gradle.kts",
        "App.csproj",
        "mix.lock",
        "PNPM-LOCK.yaml",
        "anything.lock",
    ],
)
def test_manifests(path: str) -> None:
    assert is_manifest(path)
    assert _risk(path).level == "high"


@pytest.mark.parametrize("path", ["workspace/a.py", "src/package.py", "docs/requirements.md", "locks.py"])
def test_not_manifests(path: str) -> None:
    assert not is_manifest(path)


@pytest.mark.parametrize(
    "path",
    [
        "app/migrations/0001_initial.py",
        "db/migrate/20240101_x.rb",
        "alembic/versions/abc.py",
        "svc/alembic/versions/abc.py",
        "src/main/resources/V1__init.sql",
        "R__views.sql",
        "prisma/migrations/1/migration.sql",
        "db/schema.rb",
    ],
)
def test_migrations(path: str) -> None:
    assert is_migration(path)
    assert _risk(path).reasons == (f"{path} is a migration.",)


def test_not_migrations() -> None:
    assert not is_migration("src/version__x.py")
    assert not is_migration("docs/migrating.md")


def test_protected_paths_are_named_with_their_pattern() -> None:
    found = _risk("ops/x\u202e.py", protected=("ops/**",))
    assert found == Risk("high", ("ops/x\\u202e.py is protected by ops/**.",))


@pytest.mark.parametrize(("count", "level"), [(5, "normal"), (6, "high")])
def test_deletes(count: int, level: str) -> None:
    assert _risk(*(f"f{one}" for one in range(count)), use="delete").level == level


def test_a_path_deleted_by_two_steps_counts_once() -> None:
    assert _risk(*(["a"] * 9), use="delete").level == "normal"


@pytest.mark.parametrize(("count", "level"), [(20, "normal"), (21, "high")])
def test_paths(count: int, level: str) -> None:
    assert _risk(*(f"f{one}" for one in range(count))).level == level


def test_runner_and_issue() -> None:
    assert _risk("a", ids_readable=False).reasons == (
        "The test runner's ids cannot be read, so no test can be followed by name.",
    )
    assert _risk("a", suspicious_edit=True).reasons == (
        "Somebody without write permission edited the issue shortly before it was started.",
    )
