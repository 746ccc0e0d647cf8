"""Each structural part on its own, from the shell: configuration, guard, redaction, policy, compression.

Exit 0: yes; 1: no (denied, problems found); 2: what was given cannot be read.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bot.cli.showing import AsJson, as_json, say
from bot.domain.errors import UserError

if TYPE_CHECKING:
    from bot.policy.decide import Decision, PolicySet

Files = Annotated[list[Path] | None, typer.Argument(help="Files; standard input when there are none.")]
# Those of `bot.settings`, which takes longer to import than a text takes to redact; a test holds them together.
HELD: Final = ("CONDUCTOR_WEBHOOK_SECRET", "CONDUCTOR_APP_PRIVATE_KEY", "ANTHROPIC_API_KEY")
PUBLISH: Final = "publish_unattended"
REQUEST_HELP: Final = (
    "JSON with the facts of one write (role, stage, kind, installation_id, repository_id, repository, mode, the three "
    "stopped_* switches, secret_found ...), or with action publish_unattended, exposed and publish."
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    policy = typer.Typer(no_args_is_help=True, help="The policies.")
    policy.command("check")(policy_check)
    app.command("check-config")(check_config)
    app.command()(guard)
    app.command()(redact)
    app.command()(compress)
    app.add_typer(policy, name="policy")


def check_config(file: Annotated[Path, typer.Argument(help="A .github/conductor.yml.")], json_: AsJson = False) -> None:
    """Check a configuration; problems are named with line and column."""
    from bot.domain.repo_config import ConfigError, parse_config

    problems: tuple[Any, ...] = ()
    try:
        parse_config(_text(file))
    except ConfigError as error:
        problems = error.problems
    if json_:
        names = ("line", "column", "key", "sentence")
        as_json({"ok": not problems, "problems": [{name: getattr(one, name) for name in names} for one in problems]})
    elif problems:
        places = (f"{file}:{one.line}:{one.column}: {f'{one.key}: ' if one.key else ''}" for one in problems)
        say("\n".join(f"{place}{one.sentence}" for place, one in zip(places, problems, strict=True)))
    else:
        say(f"{file}: this can be used")
    if problems:
        raise typer.Exit(1)


def guard(
    command: Annotated[
        list[str] | None, typer.Argument(help="After `--`: the command line, whole or in words.")
    ] = None,
    profile: Annotated[str, typer.Option(help="reviewer or implementer")] = "reviewer",
    batch: Annotated[bool, typer.Option("--batch", help='JSON lines {"command"} on standard input.')] = False,
) -> None:
    """Judge a command line as it would be before it runs; prints {"command", "decision", "rule", "reason"}.

    Exit 0: allowed, or a whole batch was judged; 1: denied; 2: bad use, or a line of the batch that cannot be read.
    """
    from workers.guard import Profile, judge, judge_batch

    if profile not in set(Profile):
        raise UserError(f"{profile!r} is no profile: it is {' or '.join(Profile)}", {"profile": profile})
    if batch == bool(command):
        raise UserError("give one command after `--`, or --batch and JSON lines on standard input")
    if batch:
        unread = False
        for line in judge_batch(_lines(), Profile(profile)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
            unread = unread or line.startswith('{"error"')
        if unread:
            raise UserError('some lines were no JSON object with a "command": they are answered with "error"')
        return
    words = command or []
    found = judge(words[0] if len(words) == 1 else shlex.join(words), Profile(profile))
    typer.echo(
        json.dumps(
            {"command": found.command, "decision": found.decision, "rule": found.rule, "reason": found.reason},
            ensure_ascii=True,
        )
    )
    if not found.allowed:
        raise typer.Exit(1)


def _lines() -> Iterator[str]:
    """Lines of standard input as they come; bytes that are no UTF-8 are kept visible, so that the guard denies them."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "backslashreplace")


def redact(files: Files = None, json_: AsJson = False) -> None:
    """Replace secrets in files or standard input, those of this environment too; --json prints one line a file."""
    from bot.redaction import SHORTEST_HELD, Redactor

    held = {name.lower().replace("_", "-"): _held(name).strip() for name in HELD}
    redactor = Redactor({kind: value for kind, value in held.items() if len(value) >= SHORTEST_HELD})
    for name, data in _inputs(files):
        done = redactor.redact(data.decode("utf-8", "surrogateescape"))
        if json_:
            matches = [
                {"kind": one.kind, "start": one.start, "end": one.end, "digest": one.digest} for one in done.found
            ]
            sys.stdout.write(json.dumps({"file": name, "found": matches, "text": done.text}, ensure_ascii=True) + "\n")
        else:
            sys.stdout.buffer.write(done.text.encode("utf-8", "surrogateescape"))
            sys.stdout.buffer.flush()


def _held(name: str) -> str:
    """A secret of this environment, or of the file that it names. Raises ``UserError`` when that file cannot be read."""
    file = os.environ.get(f"{name}_FILE", "")
    if os.environ.get(name) or not file:
        return os.environ.get(name, "")
    return _data(Path(file)).decode("utf-8", "replace")


def compress(files: Files = None, json_: AsJson = False) -> None:
    """Shorten verbose output as a model would see it: its head, its tail, and a line that says what is missing."""
    from workers.compress.bounded import bounded, tokens

    for name, data in _inputs(files):
        text = data.decode("utf-8", "replace")
        found = bounded(text, "the whole text is in the input")
        if json_:
            figures = {
                "file": name,
                "raw_tokens": tokens(text),
                "compressed_tokens": tokens(found.text),
                "lines": found.lines,
                "lines_shown": found.lines_shown,
                "whole": found.whole,
                "text": found.text,
            }
            typer.echo(json.dumps(figures, ensure_ascii=True))
        else:
            sys.stdout.write(found.text)
            sys.stdout.flush()


def policy_check(
    request: Annotated[Path, typer.Argument(help=REQUEST_HELP, allow_dash=True)],
    policies: Annotated[
        Path | None, typer.Option(help="A directory with further *.cedar files.", envvar="CONDUCTOR_POLICIES")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Decide about one write, or about publishing without a person, as the policies do. Exit 1: denied."""
    from bot.policy.decide import PolicySet

    found = _decided(PolicySet.load(policies), _request(request))
    if json_:
        as_json(
            {
                "decision": "allow" if found.allowed else "deny",
                "policy_ids": list(found.policy_ids),
                "errors": list(found.errors),
                "policy_set_sha256": found.policy_set_sha256,
                "sentence": found.sentence,
            }
        )
    else:
        say(f"{'allow' if found.allowed else 'deny'} by {', '.join(found.policy_ids) or 'no policy'}: {found.sentence}")
    if not found.allowed:
        raise typer.Exit(1)


def _request(path: Path) -> dict[str, Any]:
    try:
        asked = json.loads(sys.stdin.buffer.read() if path == Path("-") else _data(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}", {"path": str(path)}) from error
    if not isinstance(asked, dict):
        raise UserError(f"{path} holds no JSON object: give the facts of one write by name", {"path": str(path)})
    return asked


def _decided(policies: PolicySet, asked: dict[str, Any]) -> Decision:
    from pydantic import TypeAdapter, ValidationError

    from bot.domain.schema_problems import unknown_key
    from bot.policy.decide import decide
    from bot.policy.facts import WriteFacts

    if asked.get("action") == PUBLISH:
        return _published(policies, asked)
    known = tuple(WriteFacts.__dataclass_fields__)
    strange = [unknown_key(key, known) for key in asked if key not in known]
    if strange:
        raise UserError(f"the request cannot be decided: {strange[0]}")
    try:
        # Strict: "false" is no false, and a switch that is misread would allow.
        facts = TypeAdapter(WriteFacts).validate_json(json.dumps(asked), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"the request cannot be decided: {where}: {first['msg']}") from error
    return decide(policies, facts)


def _published(policies: PolicySet, asked: dict[str, Any]) -> Decision:
    from bot.domain.snapshot import WorkflowExposure
    from bot.policy.decide import publishing_decision

    exposed, publish = asked.get("exposed"), asked.get("publish", "risky")
    if (
        not isinstance(exposed, bool)
        or publish not in {"auto", "risky", "approval"}
        or asked.keys() - {"action", "exposed", "publish"}
    ):
        raise UserError(
            'the request cannot be decided: {"action": "publish_unattended", "exposed": true or false, "publish": "auto", "risky" or "approval"}'
        )
    shown = (
        (WorkflowExposure(path=".github/workflows/ci.yml", reasons=("it was said to be exposed",)),) if exposed else ()
    )
    return publishing_decision(policies, shown, publish)


def _inputs(files: list[Path] | None) -> Iterator[tuple[str, bytes]]:
    if not files:
        yield "-", sys.stdin.buffer.read()
    for path in files or ():
        yield str(path), _data(path)


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", {"path": str(path)}) from error


def _text(path: Path) -> str:
    try:
        return _data(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 at byte {error.start:,}", {"path": str(path)}) from error
