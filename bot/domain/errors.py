"""Errors as people read them: one sentence, sorted by who is at fault, with the fields to act on it."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Who has to act on an error."""

    USER = "user"
    MODEL = "model"
    GITHUB = "github"
    US = "us"


class ConductorError(Exception):
    """Base of every error of ours: ``sentence`` names the thing, the value and the mend; ``fields`` hold what to act on.

    Errors cross process borders (Celery, logs), so they pickle by their two arguments alone.
    """

    fault: ClassVar[Fault] = Fault.US

    def __init__(self, sentence: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(sentence, fields or {})

    @property
    def sentence(self) -> str:
        """The one sentence."""
        return str(self.args[0])

    @property
    def fields(self) -> dict[str, str]:
        """Names and values to act on."""
        return dict(self.args[1])

    def __str__(self) -> str:
        return self.sentence


class UserError(ConductorError):
    """Somebody who uses Conductor has to change something: configuration, a command, a setting."""

    fault = Fault.USER


class ModelError(ConductorError):
    """A model's answer could not be used."""

    fault = Fault.MODEL


class GitHubError(ConductorError):
    """GitHub answered with something that is not the caller's fault."""

    fault = Fault.GITHUB


class InternalError(ConductorError):
    """A promise of our own was broken; the run stops and the trace is kept."""

    fault = Fault.US


class SettingsError(UserError):
    """A process cannot start with the settings it was given."""


class SandboxUnavailable(UserError):
    """No sandbox can be made on this machine: runs stop, nothing is ever run outside one (I7)."""


class StaleFence(InternalError):
    """A worker whose lease ran out tried to write its result; somebody else holds the work now."""


class Stopped(ConductorError):
    """A stop switch is set, or could not be read (I10)."""

    fault = Fault.USER


class OverBudget(UserError):
    """A model call would pass the run's or the day's cap (I12)."""


class StorageBusy(InternalError):
    """The database did not let us in within the time allowed; nothing was written."""


class StorageLost(InternalError):
    """The database was lost while it committed: nobody knows whether it did."""
