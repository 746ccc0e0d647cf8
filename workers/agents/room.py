"""One job's surroundings: its run, its snapshot, base's tree, its place to work, and the question whether to go on (I10)."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.domain.errors import InternalError, SandboxUnavailable, StaleFence, Stopped, UserError
from bot.domain.hidden_characters import veiled
from bot.domain.outcome import NeedsHuman, Outcome, Snooze
from bot.domain.plan import Plan
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject, canonical, sha256_of
from bot.domain.work import Patch
from bot.ports import records as r
from bot.redaction import Redactor
from workers.agents.canaries import Canary, carries_away
from workers.agents.desk import AgentDesk
from workers.guard import Profile, judge
from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.egress import EgressDecision, EgressProxy
from workers.sandbox.errors import SetupFailed
from workers.sandbox.layers import Layer, LayerKey
from workers.sandbox.skeleton import Claimed
from workers.sandbox.trees import remove_tree

MOST_DECISIONS: Final = 1000
"""So many answers of the proxy are recorded one by one: a program that asks in a loop fills no database."""
CARRIED: Final = "A planted secret turned up outside its sandbox"


class Interrupted(Exception):
    """The job ends here with this word, from however deep inside a context."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Room:
    """What a handler works in. ``deadline``: milliseconds since the epoch; ``place``: a directory of this job alone.

    ``redactor`` also holds what was planted. ``shown``: kinds of it that a command's output has shown just now.
    """

    desk: AgentDesk
    job: r.Job
    run: r.Run
    snapshot: Snapshot
    sandbox: Sandbox
    base: Path
    place: Path
    deadline: int
    canary: Canary
    redactor: Redactor
    shown: list[str] = field(default_factory=list)

    def go_on(self) -> None:
        """Ask every switch, and whether the job is still ours. Raises Stopped (also when it cannot be read) or StaleFence.

        Raises Interrupted when this process is to end: the next one goes on from what is stored.
        """
        if self.desk.leaving.is_set():
            raise Interrupted(Snooze(self.desk.clock.now(), "The worker is ending; another one goes on with this job."))
        try:
            with self.desk.storage.read() as tx:
                why = tx.journal.stopped(repository_id=self.run.repository_id, run_id=self.run.id)
                job = tx.jobs.get(self.job.id)
        except Exception as error:
            raise Stopped(f"Whether to stop could not be read, so work stops: {type(error).__name__}.") from error
        if why:
            raise Stopped(why)
        if job is None or job.fence != self.job.fence or job.state != "running":
            raise StaleFence(f"Job {self.job.id} is no longer held under fence {self.job.fence}.", {"job": self.job.id})
        if self.seconds_left() <= 0:
            limit = self.desk.limits.job_s / 60
            raise UserError(
                f"The job of the {self.job.role or self.job.kind} took more than {limit:.0f} minutes; /conductor retry starts it again."
            )

    def seconds_left(self) -> float:
        """Seconds until the job's time is up; never negative."""
        return max((self.deadline - self.desk.clock.now()) / 1000, 0.0)

    def command_seconds(self) -> float:
        """Seconds that one command may take now."""
        return max(min(self.desk.limits.command_s, self.seconds_left()), 1.0)

    def limits(self, output_bytes: int) -> Limits:
        """Limits of one verify command."""
        seconds = self.command_seconds()
        return Limits(wall_s=seconds, cpu_s=int(seconds) + 1, output_bytes=output_bytes)

    def get(self, sha256: str) -> bytes:
        """An artifact's bytes."""
        return self.desk.artifacts.get(self.job.installation_id, sha256)

    def keep(self, kind: str, value: Any) -> str:
        """Store a JSON value in RFC 8785 form; its sha256."""
        return self.keep_bytes(kind, canonical(value))

    def keep_bytes(self, kind: str, data: bytes) -> str:
        """Store bytes and record their name."""
        row = self.put(kind, data)
        with self.desk.storage.begin() as tx:
            tx.journal.add_artifact(row)
        return row.sha256

    def put(self, kind: str, data: bytes) -> r.ArtifactRow:
        """Store bytes; the caller records the row with what refers to it."""
        name = self.desk.artifacts.put(self.job.installation_id, data)
        return r.ArtifactRow(
            self.job.installation_id, name, kind, len(data), self.desk.clock.now(), self.run.id, self.job.stage
        )

    def redact(self, text: str) -> str:
        """A text as anybody outside may see it: without secrets, and with a mark for each run of hidden characters."""
        return veiled(self.redactor.redact(text).text)

    def shown_in(self, redacted: str) -> frozenset[str]:
        """Kinds of planted secrets that stood in a text before it was redacted."""
        return self.canary.shown_in(redacted, self.redactor)

    @property
    def mark(self) -> str:
        """The element that stands around data in this job's conversation.

        Nobody who wrote the data can know it, and it is the same each time the job is tried.
        """
        return f"data-{sha256_of(f'data:{self.job.id}'.encode())[:8]}"

    def data(self, origin: str, text: str) -> str:
        """Somebody's words between marks that they cannot hold, with where they come from."""
        mark = self.mark
        named, inner = (re.sub(mark[-8:], "(mark)", one, flags=re.IGNORECASE) for one in (origin[:200], text))
        return f"<{mark} origin={named!a}>\n{inner}\n</{mark}>"

    def trace(self, what: str, **where: Any) -> dict[str, Any]:
        """Put on record where a planted secret turned up; what is to be stored with the run's end."""
        job = self.job
        found = {"what": what, "job": job.id, "kind": job.kind, "role": job.role, "round": job.round, "step": job.step}
        body = {**found, **where}
        with self.desk.storage.begin() as tx:
            tx.journal.audit(at=self.desk.clock.now(), kind="canary", subject=self.run.id, body=body)
        return body

    def halt(self, what: str, **where: Any) -> Interrupted:
        """The end of a job whose model or commands carried a planted secret away, with the trace."""
        return Interrupted(NeedsHuman(f"{CARRIED}, in {what}.", {"canary": self.trace(what, stopped=True, **where)}))

    def plan(self, subject_sha256: str) -> Plan:
        """The plan of a plan subject."""
        return PlanSubject.model_validate_json(self.get(subject_sha256)).plan

    def patch(self, sha256: str) -> Patch:
        """A stored patch."""
        return Patch.model_validate_json(self.get(sha256))

    def tree_of(self, patch_sha256: str) -> str:
        """The tree that a patch leads to; "" means base."""
        return self.desk.trees.apply(self.patch(patch_sha256)) if patch_sha256 else self.snapshot.base_tree

    @contextmanager
    def leased(self, tree: str) -> Iterator[Path]:
        """A tree of the store, unpacked, for reading and copying."""
        key = f"{self.job.installation_id}-{tree}"
        with self.desk.base_trees.lease(key, lambda into: self.desk.trees.unpack(tree, into)) as path:
            yield path

    def layer(self) -> Layer | None:
        """What `setup` installs, made from base alone; None without `setup`. Raises `SetupFailed` and UserError."""
        config = self.snapshot.config
        if not config.setup:
            return None
        for command in config.setup:
            decision = judge(command, Profile.IMPLEMENTER)
            if not decision.allowed:
                raise UserError(f"The setup command {command!a} may not run ({decision.rule}): {decision.reason}")
        decided: list[EgressDecision] = []
        egress = EgressProxy(config.sandbox.egress, on_decision=decided.append)
        key = _layer_key(self.job, self.run, self.snapshot, self.sandbox)
        canary = Canary.of(key.digest())
        self.go_on()
        try:
            return self.desk.layers.build(
                key,
                self.base,
                self.sandbox,
                egress,
                limits=self.limits(1 << 20),
                env=canary.env,
                argv=lambda command: canary.planted("/bin/bash", "-c", command),
            )
        except SetupFailed as failed:
            kinds = self.shown_in(self.redactor.redact(failed.tail).text)
            if carries_away(kinds, failed.command):
                raise self.halt("the output of setup", kinds=sorted(kinds), command=failed.command[:300]) from failed
            raise
        finally:
            self._record(decided, canary)

    def _record(self, decided: list[EgressDecision], canary: Canary) -> None:
        """Where setup wanted to connect, and what was said to it. A planted secret in a host's name ends the run.

        Each is a tool call without a model; their numbers are below those of the models' calls, and go down.
        """
        at, rest = self.desk.clock.now(), len(decided) - MOST_DECISIONS
        shown = decided[:MOST_DECISIONS]
        if rest > 0:
            shown.append(EgressDecision("", 0, allowed=False, rule="", reason=f"{rest} more were asked for"))
        with self.desk.storage.begin() as tx:
            earlier = (one.seq for one in tx.journal.tool_calls(self.run.id) if one.job_id == self.job.id)
            first = min([0, *earlier]) - 1
            for number, one in enumerate(shown):
                call = self._egress_call(one, first - number, at)
                tx.journal.add_tool_call(call)
                body = {**call.input, "call": call.seq, "allowed": one.allowed, "rule": one.rule, "reason": call.output}
                tx.journal.audit(at=at, kind="egress", subject=self.run.id, body=body)
        carried = next((one for one in decided if canary.stands_in_name(one.host)), None)
        if carried is not None:
            raise self.halt("a connection that setup asked for", port=carried.port, allowed=carried.allowed)

    def _egress_call(self, one: EgressDecision, seq: int, at: int) -> r.ToolCall:
        host, job = one.host[:300], self.job
        named = self.redact(host if host.isprintable() else ascii(host))
        reason = self.redact(one.reason[:300])
        return r.ToolCall(
            run_id=self.run.id,
            job_id=job.id,
            seq=seq,
            role=job.role,
            round=job.round,
            step=job.step,
            tool="egress",
            input={"host": named, "port": one.port},
            output=reason,
            output_sha256=sha256_of(reason.encode()),
            decision="allow" if one.allowed else "deny",
            rule=one.rule or "sandbox.egress",
            exit_code=None,
            raw_tokens=0,
            compressed_tokens=0,
            at=at,
        )


@contextmanager
def open_room(desk: AgentDesk, job: r.Job) -> Iterator[Room]:
    """The surroundings of a job, gone again at the end. Raises what loading them raises."""
    started = desk.clock.now()
    with desk.storage.read() as tx:
        run = None if job.run_id is None else tx.runs.get(job.run_id)
    if run is None:
        raise InternalError(f"Job {job.id} belongs to no run, so no agent can work on it.", {"job": job.id})
    snapshot = Snapshot.model_validate_json(desk.artifacts.get(job.installation_id, str(job.payload["snapshot"])))
    desk.trees.load(desk.artifacts.path(job.installation_id, snapshot.bundle_sha256), snapshot.base_tree)
    sandbox = desk.sandbox_with(snapshot.config.sandbox.toolchain)
    if shutil.which("bwrap") is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed, and no command runs without it: install the package `bubblewrap`."
        )
    setup = _layer_key(job, run, snapshot, sandbox).digest() if snapshot.config.setup else ""
    canary = Canary.of(job.id, setup)
    claimed = Claimed(desk.workroom, "job")  # and whatever a killed worker left there is gone
    place = claimed.path
    key = f"{job.installation_id}-{snapshot.base_tree}"
    try:
        with desk.base_trees.lease(key, lambda into: desk.trees.unpack(snapshot.base_tree, into)) as base:
            yield Room(
                desk=desk,
                job=job,
                run=run,
                snapshot=snapshot,
                sandbox=sandbox,
                base=base,
                place=place,
                deadline=started + int(desk.limits.job_s * 1000),
                canary=canary,
                redactor=desk.redactor.holding(canary.held).of_run(run.id),
            )
    finally:
        remove_tree(place)


def _layer_key(job: r.Job, run: r.Run, snapshot: Snapshot, sandbox: Sandbox) -> LayerKey:
    commands, toolchain = snapshot.config.setup, sandbox.toolchain.digest
    return LayerKey(job.installation_id, run.repository_id, snapshot.base_tree, commands, toolchain)


def as_data(value: Any) -> str:
    """A JSON value as a model is shown it."""
    return json.dumps(value, ensure_ascii=False, indent=1)
