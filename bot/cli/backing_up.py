"""`conductor backup` and `conductor restore`: records and artifacts of the embedded deployment, copied while it runs."""

from __future__ import annotations

import hashlib
import json as jsonlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bot.cli.opening import opened, who
from bot.cli.showing import AsJson, as_json, say
from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.settings import Settings

FORMAT: Final = 1
MANIFEST: Final = "backup.json"
RECORDS: Final = "conductor.db"
ARTIFACTS: Final = "artifacts"
SPARE: Final = 64 << 20
"""Bytes of the disk that a copy leaves free."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)
    app.command()(restored)


def backup(
    directory: Annotated[Path, typer.Argument(help="Where to; it must not exist yet.")], json: AsJson = False
) -> None:
    """Copy records and artifacts into a new directory while the App runs (SQLite; for PostgreSQL use pg_dump)."""
    made = back_up(_settings(), directory.absolute())
    if json:
        as_json({"directory": str(directory), **made})
    else:
        say(
            f"{directory}: records of revision {made['revision']}, {made['artifacts']} artifacts, {made['bytes']} bytes"
        )


def restore(directory: Annotated[Path, typer.Argument(help="A backup.")], json: AsJson = False) -> None:
    """Put a backup in the place of records that are gone. The App must not run; started then, it looks at GitHub first."""
    runs = put_back(_settings(), directory.absolute(), who())
    if json:
        as_json({"directory": str(directory), "living_runs": runs})
    else:
        say(f"{directory} is restored, with {runs} living runs; start the App: it looks at GitHub before it goes on")


def restored(json: AsJson = False) -> None:
    """Say that the records come from a backup, after PostgreSQL's own restore and before the App starts."""
    from bot.services.backups import mark_restored

    with opened() as parts, parts.storage.begin() as tx:
        runs = mark_restored(parts.stopping.desk, tx, who())
    if json:
        as_json({"living_runs": runs})
    else:
        say(
            f"the records are marked as restored, with {runs} living runs; the App will look at GitHub before it goes on"
        )


def back_up(settings: Settings, directory: Path) -> dict[str, Any]:
    """Copy records and artifacts; returns what the manifest says. Raises ``UserError`` with what stands in the way."""
    from bot.bootstrap import copy_records, records_files

    source, *beside = records_files(settings.database_url)
    if not source.is_file():
        raise UserError(f"there is no database at {source}; set CONDUCTOR_DATA as for the running App")
    if directory.exists() or directory.is_symlink():
        raise UserError(f"{directory} exists already; give a directory that does not, a new one for each backup")
    if not directory.parent.is_dir():
        raise UserError(f"there is no directory {directory.parent}; make it first")
    size = sum(one.stat().st_size for one in (source, *beside) if one.exists())
    _need(directory.parent, size + _size(settings.artifacts))
    with _made_whole(directory) as partial:
        revision = copy_records(source, partial / RECORDS)
        # After the records, whose artifacts were all stored before them.
        count, size = _copy_artifacts(settings.artifacts, partial / ARTIFACTS)
        size += (partial / RECORDS).stat().st_size
        made = {"format": FORMAT, "at": time.time_ns() // 1_000_000, "revision": revision, "artifacts": count}
        made |= {"bytes": size, "records_sha256": _digest(partial / RECORDS)}
        (partial / MANIFEST).write_text(jsonlib.dumps(made, indent=2), "utf-8")
        _sync(partial / MANIFEST)
    return made


def put_back(settings: Settings, directory: Path, by: str) -> int:
    """Restore a backup where no records are; returns how many runs live. Raises ``UserError`` and changes nothing then."""
    from bot.bootstrap import newest_schema, records_files

    files, manifest = records_files(settings.database_url), _manifest(directory)
    for one in files:
        if one.exists():
            raise UserError(f"{one} is there: stop the App and move it away first, it is not overwritten")
    if str(manifest.get("revision", "")) > newest_schema():
        raise UserError(
            f"{directory} was made by a newer release (schema {manifest['revision']}, this one has {newest_schema()}): install that one"
        )
    if _digest(directory / RECORDS) != manifest.get("records_sha256"):
        raise UserError(f"{directory / RECORDS} is not the file that was backed up: use another backup")
    place = files[0].parent
    place.mkdir(parents=True, exist_ok=True)
    _need(place, int(manifest.get("bytes", 0)))
    _copy_artifacts(directory / ARTIFACTS, settings.artifacts)
    return _put_records(directory / RECORDS, files[0], settings, by)


def _put_records(copy: Path, target: Path, settings: Settings, by: str) -> int:
    from bot.bootstrap import copy_records, records_files

    partial = target.with_name(f".{target.name}.partial")
    files = records_files(f"sqlite:///{partial}")
    try:
        for one in files:
            one.unlink(missing_ok=True)
        copy_records(copy, partial)
        runs = _mark(settings, partial, by)
        _sync(partial)
        partial.replace(target)
        _sync(target.parent)
    finally:
        for one in files:
            one.unlink(missing_ok=True)
    return runs


def _mark(settings: Settings, records: Path, by: str) -> int:
    """Mark the copy before it has the name that the App opens: there are no restored records without the mark."""
    from bot.bootstrap import migrate_records, shell
    from bot.services.backups import mark_restored

    url = f"sqlite:///{records}"
    migrate_records(url)
    parts = shell(settings.model_copy(update={"database_url": url}))
    try:
        with parts.storage.begin() as tx:
            return mark_restored(parts.stopping.desk, tx, by)
    finally:
        parts.storage.close()


def _settings() -> Settings:
    from bot.settings import Process, from_environment

    return from_environment(Process.SHELL)


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        found = jsonlib.loads((directory / MANIFEST).read_text("utf-8"))
        known = isinstance(found, dict) and found.get("format") == FORMAT
    except FileNotFoundError:
        raise UserError(
            f"{directory} is no backup: it has no {MANIFEST}; name a directory that `conductor backup` made"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{directory / MANIFEST} cannot be read: {error}; use another backup") from error
    if not known or not (directory / RECORDS).is_file():
        raise UserError(f"{directory} is no backup that this release can read; use the release that made it")
    return dict(found)


@contextmanager
def _made_whole(directory: Path) -> Iterator[Path]:
    """A directory that gets its name when it is complete, so that half a backup is never taken for one."""
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700)
        yield partial
        partial.rename(directory)
        _sync(directory.parent)
    except OSError as error:
        raise UserError(f"{directory} cannot be written: {error.strerror or error}; name another place") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _need(place: Path, size: int) -> None:
    free = shutil.disk_usage(place).free
    if free < size + SPARE:
        raise UserError(
            f"{place} has {free >> 20} MiB free and {(size + SPARE) >> 20} MiB are needed: free some, or name another place"
        )


def _files(artifacts: Path) -> Iterator[Path]:
    """Whole artifacts; those that are still being written have names that begin with a dot."""
    if artifacts.is_dir():
        yield from (one for one in artifacts.rglob("*") if one.is_file() and not one.name.startswith("."))


def _size(artifacts: Path) -> int:
    return sum(one.stat().st_size for one in _files(artifacts))


def _copy_artifacts(source: Path, target: Path) -> tuple[int, int]:
    """Copy those that are not there yet: a name is the hash of its content. Returns how many there are, and their bytes."""
    count = size = 0
    for one in _files(source):
        place = target / one.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not place.exists():
            partial = place.with_name(f".new-{place.name}")
            shutil.copyfile(one, partial)
            _sync(partial)
            partial.chmod(0o444)
            partial.replace(place)
        count, size = count + 1, size + place.stat().st_size
    return count, size


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
