"""`run` and `show_output`: a command that the guard allows, in a sandbox, with its whole output kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from bot.domain.hidden_characters import veiled, without_terminal_codes
from bot.redaction import Redactor
from workers.compress import bounded, tokens
from workers.guard import Profile, judge
from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.layers import Layer
from workers.sandbox.masks import HOLD_ALL, Protection
from workers.tools.contracts import Run, ShowOutput
from workers.tools.reading import MOST_BYTES, MOST_LINES
from workers.tools.said import Said

log = structlog.get_logger()

OUTPUT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where commands of one context run. ``planted``: puts into the sandbox what nobody needs, before a command; ``env`` likewise."""

    sandbox: Sandbox
    root: Path
    writable: bool
    layer: Layer | None
    env: Mapping[str, str]
    planted: Callable[..., tuple[str, ...]]
    protection: Protection = HOLD_ALL

    def argv(self, command: str) -> tuple[str, ...]:
        """The command with the planted file before it."""
        return self.planted("/bin/bash", "-c", command)


@dataclass(frozen=True, slots=True)
class Running:
    """One context's commands. ``seconds``: what is left for one; ``keep``: stores a whole output, redacted."""

    place: Place
    profile: Profile
    redactor: Redactor
    seconds: Callable[[], float]
    keep: Callable[[str], None]
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, asked: Run) -> Said:
        """The guard decides first; what it refuses is answered with its reason and does not run."""
        decision = judge(asked.command, self.profile)
        if not decision.allowed:
            return Said(
                f"Refused by {decision.rule}: {decision.reason}", is_error=True, decision="deny", rule=decision.rule
            )
        seconds = min(asked.timeout_s or self.seconds(), self.seconds())
        place = self.place
        ran = place.sandbox.run_argv(
            place.argv(asked.command),
            tree=place.root,
            writable=place.writable,
            layer=place.layer,
            env=place.env,
            protection=place.protection,
            limits=Limits(wall_s=seconds, cpu_s=max(int(seconds), 1), output_bytes=OUTPUT_BYTES),
        )
        log.info("sandbox_ran", seconds=ran.seconds, exit_code=ran.exit_code)
        printed = ran.output.decode("utf-8", "replace").replace("\r\n", "\n")
        whole = self.redactor.redact(printed).text.rstrip("\n")
        self.keep(whole)
        # Without colours first: they may part a secret.
        said = without_terminal_codes(printed)
        raw = veiled(whole if said == printed else self.redactor.redact(said).text.rstrip("\n"))
        name = f"o{len(self.outputs) + 1}"
        self.outputs[name] = raw
        short = bounded(raw, f"show_output with id {name} shows them")
        head = f"exit code {ran.exit_code}" + (f" ({ran.note})" if ran.note else "")
        text = f"{head}\n{short.text}" if short.text else f"{head}\n(no output)"
        if not short.whole:
            text = f"{head}, output {name} has {short.lines} lines\n{short.text}"
        return Said(text, rule=decision.rule, exit_code=ran.exit_code, raw_tokens=tokens(f"{head}\n{whole}"))

    def show_output(self, asked: ShowOutput) -> Said:
        """Numbered lines of an output of this very context."""
        raw = self.outputs.get(asked.id)
        if raw is None:
            known = ", ".join(self.outputs) or "none yet"
            return Said(f"There is no output {asked.id!a} in this context; there is: {known}.", is_error=True)
        lines = list(enumerate(raw.split("\n"), 1))
        chosen = [
            (number, line)
            for number, line in lines[(asked.start_line or 1) - 1 : asked.end_line or len(lines)]
            if asked.pattern is None or asked.pattern in line
        ]
        if not chosen:
            return Said(f"No line of {asked.id} is like that; it has {len(lines)} lines.")
        shown: list[str] = []
        room = MOST_BYTES
        for number, line in chosen[:MOST_LINES]:
            row = f"{number}: {line[:4_000]}"
            room -= len(row.encode("utf-8", "replace")) + 1
            if room < 0:
                break
            shown.append(row)
        if len(shown) < len(chosen):
            shown.append(f"[{len(chosen) - len(shown)} more lines; start_line {chosen[len(shown)][0]} shows them]")
        return Said("\n".join(shown))
