"""What running processes hold: their environment, arguments and memory in /proc, searched for secrets of the others.

A split App under the simulator is looked into while its scenario plays (`Prying`): every process of it and everything that
they start, sandboxes and git among them. Reading the memory of another process needs root, or that it is our child.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from ahocorasick_rs import BytesAhoCorasick
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.ports import records as r
from bot.ports.storage import Transaction
from bot.simulator.acts import AnyAct
from bot.simulator.github.server import SimulatedGitHub

PROC: Final = Path("/proc")
PIECE: Final = 16 << 20
EVERY_S: Final = 0.2
"""Between two looks at environments and arguments; before the run's first stage, when git fetches, there is no pause."""
MEMORIES: Final = 4
"""Processes of one program whose memory is read: they begin alike."""
SECRETS: Final = {"webhook_secret": "web", "model_key": "agents", "app_private_key": "github"}
"""The secrets of DESIGN section 3, as the simulator's settings call them, and the one process that holds each."""
TOKENS: Final = ("installation token", "installation token as git sends it")
_APP: Final = re.compile(r"\b(\w+) (/\S+/\1\.settings\.json)\b")
WHERE: Final = ("environ", "cmdline", "memory")


@functools.cache
def forms_of(secret: str) -> list[bytes]:
    """A text as processes carry it: plain and in base64; a private key also line by line, in DER and as its numbers."""
    if "PRIVATE KEY" not in secret:
        return [secret.encode(), base64.b64encode(secret.encode())]
    lines = [line for line in secret.splitlines() if len(line) >= 48 and "PRIVATE KEY" not in line]
    key = load_pem_private_key(secret.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    numbers = key.private_numbers()
    parts = [one.to_bytes((one.bit_length() + 7) // 8) for one in (numbers.p, numbers.q, numbers.d)]
    return [*(line.encode() for line in lines), *parts, *(part[::-1] for part in parts)]


class Needles:
    """Secrets with their names, looked for all at once."""

    def __init__(self, secrets: Iterable[tuple[str, str]]) -> None:
        pairs = [(name, form) for name, secret in secrets for form in forms_of(secret)]
        self._names = [name for name, _ in pairs]
        self._longest = max((len(form) for _, form in pairs), default=1)
        self._automaton = BytesAhoCorasick([form for _, form in pairs])

    def within(self, data: bytes) -> set[str]:
        """The names of those that stand in these bytes."""
        return {self._names[found[0]] for found in self._automaton.find_matches_as_indexes(data, overlapping=True)}

    def held_by(self, pid: int, where: str) -> set[str]:
        """The names of those that a process holds there; of one that has ended meanwhile, those seen until then."""
        found: set[str] = set()
        try:
            pieces = memory_of(pid, self._longest) if where == "memory" else [(PROC / str(pid) / where).read_bytes()]
            for piece in pieces:
                found |= self.within(piece)
        except (FileNotFoundError, ProcessLookupError):
            return found
        return found


def memory_of(pid: int, overlap: int = 0) -> Iterator[bytes]:
    """A process's own memory, piece by piece, each beginning with the last ``overlap`` bytes of the one before.

    Left out are mappings without a page in memory, and those of files that cannot be written: their bytes are the files'.
    """
    regions = _regions((PROC / str(pid) / "smaps").read_text("utf-8", "replace"))
    with (PROC / str(pid) / "mem").open("rb", buffering=0) as memory:
        for start, end in regions:
            kept, position = b"", start
            while position < end:
                try:
                    memory.seek(position)
                    piece = memory.read(min(PIECE, end - position))
                except OSError as error:
                    if isinstance(error, ProcessLookupError):
                        raise
                    # Unmapped since it was listed, or the kernel's own page.
                    break
                if not piece:
                    break
                yield kept + piece
                kept, position = piece[-overlap:] if overlap else b"", position + len(piece)


_REGION: Final = re.compile(
    r"^([0-9a-f]+)-([0-9a-f]+) r(.)(.)(.) \S+ \S+ (\d+) *([^\n]*)\n(.*?)(?=^[0-9a-f]+-|\Z)", re.MULTILINE | re.DOTALL
)


def _regions(smaps: str) -> Iterator[tuple[int, int]]:
    for start, end, writable, _, _, inode, name, facts in _REGION.findall(smaps):
        resident = re.search(r"^(?:Rss|Swap): +[1-9]", facts, re.MULTILINE)
        if resident and not name.startswith(("[v", "[uprobes")) and (writable == "w" or inode == "0"):
            yield int(start, 16), int(end, 16)


def children_of(pid: int) -> dict[int, list[int]]:
    """Every process below ``pid``, by its parent."""
    below: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        below.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = {}, [pid]
    while waiting:
        parent = waiting.pop()
        if parent in below:
            found[parent] = below[parent]
            waiting += below[parent]
    return found


def arguments_of(pid: int) -> list[str]:
    """A process's arguments; none for one that has ended."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


@dataclass
class Prying:
    """Looks into the App's processes. ``watch`` and ``decide`` are a `Runner`'s; ``pid`` is who started the App.

    ``memory_at``: the state in which the memory of the App's processes is read, once (``thorough`` then).
    ``owned``: (process, where, secret) of secrets in their owner's hands; ``foreign``: one sentence for each that is
    elsewhere; ``programs``: (process, program) of what they started, with the ids that were looked into.
    """

    pid: int
    memory_at: str
    owned: set[tuple[str, str, str]] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    programs: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    thorough: bool = False
    _github: SimulatedGitHub | None = None
    _last: float = 0.0

    def decide(self, act: AnyAct, github: SimulatedGitHub) -> AnyAct:
        """The act as it was; GitHub is where the tokens are that were minted."""
        self._github = github
        return act

    def watch(self, _tx: Transaction, run: r.Run | None) -> None:
        """At every look at the records: environments and arguments; memory when a state is new that is to be looked at."""
        state = "queued" if run is None else run.state
        thorough = state == self.memory_at and not self.thorough
        if not thorough and state != "queued" and time.monotonic() - self._last < EVERY_S:
            return
        self.thorough |= thorough
        self.look(thorough=thorough)
        self._last = time.monotonic()

    def look(self, *, thorough: bool) -> None:
        """Once into every process of the App and all that is below it."""
        tree = children_of(self.pid)
        apps = {}
        for child in tree.get(self.pid, []):
            # Celery gives its workers a title of its own, with the arguments in it.
            if named := _APP.search(" ".join(arguments_of(child))):
                apps[child] = (named[1], Path(named[2]))
        needles, owners = self._needles(apps.values())
        for child, (process, _) in apps.items():
            where = WHERE if thorough else WHERE[:2]
            self._judge(process, self._held(needles, child, where), owners)
            for below in _all_below(tree, child):
                self._look_below(process, child, below, needles)

    def _needles(self, apps: Iterable[tuple[str, Path]]) -> tuple[Needles, dict[str, str]]:
        """What to look for, and the process whose each is."""
        secrets, owners = [], dict.fromkeys(TOKENS, "github")
        for process, file in apps:
            given = json.loads(file.read_text("utf-8"))
            password = unquote(urlsplit(given["database_url"]).password or "")
            mine = [(name, str(given[name])) for name, owner in SECRETS.items() if owner == process]
            mine += [(f"database password of {process}", password)] if password else []
            secrets += mine
            owners |= dict.fromkeys((name for name, _ in mine), process)
        for token in [] if self._github is None else list(self._github._authority.tokens):
            secrets += zip(TOKENS, (token, f"x-access-token:{token}"), strict=True)
        return Needles(secrets), owners

    def _held(self, needles: Needles, pid: int, where: Iterable[str]) -> set[tuple[str, str]]:
        return {(place, name) for place in where for name in needles.held_by(pid, place)}

    def _judge(self, process: str, held: set[tuple[str, str]], owners: Mapping[str, str]) -> None:
        for place, name in held:
            if owners[name] == process and place == "memory":
                self.owned.add((process, place, name))
            else:
                self.foreign.add(f"{process} holds the {name} in its {place}")

    def _look_below(self, process: str, parent: int, pid: int, needles: Needles) -> None:
        """What a process starts may hold nothing; only git below `github` is given the one token that it fetches with."""
        arguments = arguments_of(pid)
        # Between fork and exec it is still its parent.
        if not arguments or arguments == arguments_of(parent):
            return
        program = Path(arguments[0]).name
        alike = self.programs.setdefault((process, program), set())
        fresh = pid not in alike and len(alike) < MEMORIES
        alike.add(pid)
        for place, name in self._held(needles, pid, WHERE if fresh else WHERE[:2]):
            if process == "github" and program.startswith("git") and name in TOKENS and place != "cmdline":
                self.owned.add((program, place, name))
            else:
                self.foreign.add(f"{program}, started by {process}, holds the {name} in its {place}")


def _all_below(tree: Mapping[int, list[int]], pid: int) -> Iterator[int]:
    for child in tree.get(pid, []):
        yield child
        yield from _all_below(tree, child)
