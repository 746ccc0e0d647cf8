"""What the handlers of agents' jobs work with; `bot.bootstrap` fills it in (DESIGN section 13)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from bot.domain.money import Prices
from bot.ports.artifacts import Artifacts
from bot.ports.clock import Clock
from bot.ports.storage import Storage
from bot.ports.trees import Trees
from bot.redaction import Redactor
from workers.agents.messages_api import Model
from workers.sandbox.box import Sandbox
from workers.sandbox.layers import LayerCache
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import TreeCache


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """Bounds of one context and its job. ``send_backs``: how often an invalid submission is answered with what is wrong."""

    turns: int = 60
    command_s: float = 600
    job_s: float = 45 * 60
    send_backs: int = 3
    idle_turns: int = 3
    max_tokens: int = 16_384
    busy_tries: int = 20
    unreadable_tries: int = 3
    first_pause_ms: int = 300
    longest_pause_ms: int = 60_000
    patch_bytes: int = 32 << 20


@dataclass(frozen=True, slots=True)
class AgentDesk:
    """The parts of one agents' process. ``workroom``: a directory for workspaces, which may be emptied between jobs.

    ``leaving``: set when the process is to end; a job then stops at its next step and is queued again.
    """

    storage: Storage
    clock: Clock
    artifacts: Artifacts
    trees: Trees
    model: Model
    redactor: Redactor
    sandbox: Sandbox
    layers: LayerCache
    base_trees: TreeCache
    prices: Prices
    default_model: str
    workroom: Path
    limits: AgentLimits = AgentLimits()
    leaving: threading.Event = field(default_factory=threading.Event)
    _sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sandbox_with(self, toolchain: str | None) -> Sandbox:
        """The sandbox with a repository's ``sandbox.toolchain``, made once a process. Raises `ToolchainInvalid`."""
        if toolchain is None:
            return self.sandbox
        with self._lock:
            if toolchain not in self._sandboxes:
                scratch = self.workroom / "toolchains"
                scratch.mkdir(parents=True, exist_ok=True)
                built = Toolchain.build(scratch, extra=toolchain)
                self._sandboxes[toolchain] = Sandbox(toolchain=built, scratch=scratch, cgroup=self.sandbox.cgroup)
            return self._sandboxes[toolchain]
