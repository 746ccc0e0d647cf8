"""`conductor setup`: creates the GitHub App from ``app.yml`` by GitHub's manifest flow, and stores what GitHub answers.

Two steps, because a person must press GitHub's button: a page whose form carries the manifest, then the code that GitHub
sends back. https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

import html
import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from bot.cli.showing import say
from bot.domain.errors import GitHubError, UserError

PLACEHOLDER: Final = "https://conductor.example.com"
PAGE: Final = "create-app.html"
SECRET_FILES: Final = ("app_id", "app_private_key", "webhook_secret")
_CODE: Final = re.compile(r"[A-Za-z0-9_-]{8,100}")
_ORGANIZATION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
SECONDS: Final = 30.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(setup)


def setup(
    public_url: Annotated[
        str,
        typer.Option(
            "--url", "--public-url", help="Where GitHub reaches the web process.", envvar="CONDUCTOR_PUBLIC_URL"
        ),
    ] = "",
    organization: Annotated[str, typer.Option(help="Owner of the App; without it, you.")] = "",
    name: Annotated[str, typer.Option(help="The App's name; GitHub wants it to be unique.")] = "",
    directory: Annotated[Path, typer.Option(help="Where secrets are stored, each in a file of mode 0600.")] = Path(
        ".conductor/secrets"
    ),
    code: Annotated[str, typer.Option(help="The code in the address that GitHub sent the browser to.")] = "",
) -> None:
    """Create the GitHub App: first a page to open, then, with --code, its id, key and webhook secret into files."""
    if code:
        _finish(code, directory)
    else:
        _begin(public_url.rstrip("/"), organization, name, directory)


def _begin(public_url: str, organization: str, name: str, directory: Path) -> None:
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname:
        raise UserError(
            f"the public URL is {public_url!r}: say with --url (or CONDUCTOR_PUBLIC_URL) under which https address GitHub reaches Conductor"
        )
    if organization and not _ORGANIZATION.fullmatch(organization):
        raise UserError(f"{organization!r} is no organization's login")
    owner = f"organizations/{organization}/settings" if organization else "settings"
    state = secrets.token_urlsafe(16)
    page = directory / PAGE
    _store(page, _page(f"https://github.com/{owner}/apps/new?state={state}", manifest(public_url, name)))
    say(
        f"1. Open {page.absolute()} in a browser and press the button: GitHub shows the App with its permissions, and creates it.\n"
        f"2. GitHub sends the browser to {public_url}/setup/done?code=CODE&state={state} (it need not answer yet; compare the state).\n"
        f"3. Within an hour: conductor setup --code CODE --directory {directory}\n\n"
        f"{environment()}"
    )


def environment() -> str:
    """The variables that each process is started with, a line a process; secrets by name alone."""
    from bot.settings import REQUIRED, Process

    app_id = {Process.UP, Process.GITHUB}
    own = {
        one: [*REQUIRED.get(one, ()), *(["CONDUCTOR_APP_ID"] if one in app_id else [])]
        for one in Process
        if one is not Process.SHELL
    }
    lines = [f"  {one:9}{', '.join(names) or 'no secret'}" for one, names in own.items()]
    return "\n".join(
        (
            "The environment of each process, beside CONDUCTOR_DATABASE_URL, CONDUCTOR_BROKER_URL, CONDUCTOR_ARTIFACTS,",
            "CONDUCTOR_DATA and CONDUCTOR_PUBLIC_URL (`up` has defaults for all five); NAME_FILE may name a file instead:",
            *lines,
        )
    )


def manifest(public_url: str, name: str = "") -> dict[str, Any]:
    """``app.yml`` with this deployment's address, and its name if one is given."""
    import yaml

    text = _manifest_file().read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text.replace(PLACEHOLDER, public_url))
    return found | ({"name": name} if name else {})


def _manifest_file() -> Path:
    """In a source tree beside `bot`; in the image beside the interpreter's prefix."""
    for place in (Path(__file__).parents[2] / "app.yml", Path(sys.prefix) / "app.yml"):
        if place.is_file():
            return place
    raise UserError("app.yml was not found beside the installed package: run `conductor setup` from the source tree")


def _page(action: str, content: dict[str, Any]) -> str:
    value = html.escape(json.dumps(content), quote=True)
    return (
        "<!doctype html><meta charset=utf-8><title>Create the GitHub App</title>\n"
        f'<form action="{html.escape(action, quote=True)}" method="post">\n'
        f'<input type="hidden" name="manifest" value="{value}">\n'
        "<button>Create the GitHub App on github.com</button>\n</form>\n"
    )


def _finish(code: str, directory: Path) -> None:
    if not _CODE.fullmatch(code):
        raise UserError("the code is not one of GitHub's: copy what stands after `code=` in the browser's address")
    for one in SECRET_FILES:
        # Asked before the code is spent: GitHub shows the key this once.
        if (directory / one).is_symlink() or (directory / one).exists():
            raise UserError(f"{directory / one} is there already: move it away, or name another --directory")
    answer = _convert(code)
    try:
        parts = (str(int(answer["id"])), str(answer["pem"]), str(answer["webhook_secret"]))
        values = dict(zip(SECRET_FILES, parts, strict=True))
        where = str(answer["html_url"])
    except (KeyError, TypeError, ValueError) as error:
        raise GitHubError(f"GitHub's answer lacks {error}: create the App again with `conductor setup`") from error
    for name, value in values.items():
        _store(directory / name, value)
    (directory / PAGE).unlink(missing_ok=True)
    say(
        f"The App {where} is number {values['app_id']}; its key and webhook secret are in {directory.absolute()}.\n"
        f"Start with:\n  export CONDUCTOR_APP_ID={values['app_id']}\n"
        f"  export CONDUCTOR_APP_PRIVATE_KEY_FILE={directory.absolute() / 'app_private_key'}\n"
        f"  export CONDUCTOR_WEBHOOK_SECRET_FILE={directory.absolute() / 'webhook_secret'}\n"
        f"Then install it on repositories: {where}/installations/new"
    )


def _convert(code: str) -> dict[str, Any]:
    """Exchanges the code once; GitHub keeps it for an hour. Raises ``GitHubError``."""
    import httpx

    try:
        answer = httpx.post(
            f"https://api.github.com/app-manifests/{code}/conversions",
            headers={"Accept": "application/vnd.github+json"},
            timeout=SECONDS,
        )
    except httpx.HTTPError as error:
        raise GitHubError(
            f"GitHub could not be asked ({error}): try again with the same code within its hour"
        ) from error
    if answer.status_code != httpx.codes.CREATED:
        raise GitHubError(
            f"GitHub answered {answer.status_code} to the code: it is used up or over an hour old; begin again with `conductor setup`"
        )
    found: dict[str, Any] = answer.json()
    return found


def _store(path: Path, text: str) -> None:
    """Writes a new file that only we can read; never through a link, and never over a secret that is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if path.name == PAGE else os.O_EXCL)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise UserError(f"{path} is there already: move it away, or name another --directory") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
