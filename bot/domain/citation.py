"""Evidence that can be checked: text quoted at a place of a revision, or at a pointer into a document (DESIGN section 5)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RepoPath = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]


class Contract(BaseModel):
    """Base of everything a model submits: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Citation(Contract):
    """Lines ``start_line`` to ``end_line`` (1-based, inclusive) of ``path`` contain ``quote`` verbatim."""

    path: RepoPath
    start_line: int = Field(ge=1)
    end_line: int = Field(ge=1)
    quote: Annotated[str, StringConstraints(min_length=1, max_length=8_000)]


class Pointed(Contract):
    """The value at JSON pointer ``pointer`` of the document under review contains ``quote``."""

    pointer: Annotated[str, StringConstraints(max_length=400)]
    quote: Annotated[str, StringConstraints(min_length=1, max_length=8_000)]


Evidence: TypeAlias = Citation | Pointed
