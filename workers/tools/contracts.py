"""What each tool takes (DESIGN section 5): pydantic models, and the definitions that the Messages API is sent."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.positioned_yaml import dotted
from bot.domain.schema_problems import problems_of

Path = Annotated[str, Field(max_length=1_024, description="A path from the top of the repository.")]
LineNumber = Annotated[int, Field(ge=1, description="A line number, the first line is 1.")]


class ToolInput(BaseModel):
    """Base of all inputs: unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ListFiles(ToolInput):
    """Lists the files of the repository below a folder, or of all of it."""

    path: Path = "."


class ReadFile(ToolInput):
    """Reads a text file as numbered lines `N: text`, all of it or from start_line to end_line."""

    path: Path
    start_line: LineNumber | None = None
    end_line: LineNumber | None = None


class ReadFileAt(ReadFile):
    """Reads a text file as numbered lines `N: text`: as it is now (rev head), or as it was before the work (rev base)."""

    rev: Literal["base", "head"] = "head"


class Search(ToolInput):
    """Finds lines that match an extended regular expression (grep -E) in the files below a path."""

    pattern: Annotated[str, Field(min_length=1, max_length=500)]
    path: Path = "."


class Run(ToolInput):
    """Runs one command line in a sandbox without network. Long output is shortened; show_output has all of it."""

    command: Annotated[str, Field(min_length=1, max_length=4_000)]
    timeout_s: Annotated[float, Field(gt=0, le=3_600)] | None = None


class ShowOutput(ToolInput):
    """Shows lines of the whole output of one of your earlier `run` calls; pattern keeps lines that contain that text."""

    id: Annotated[str, Field(max_length=20)]
    start_line: LineNumber | None = None
    end_line: LineNumber | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class ReadDiff(ToolInput):
    """Shows the diff under review as unified hunks, of one file or of all."""

    path: Path | None = None


class WriteFile(ToolInput):
    """Writes a whole text file, new or in place of the old one."""

    path: Path
    content: Annotated[str, Field(max_length=2_000_000)]


class EditFile(ToolInput):
    """Replaces `old`, which must stand exactly once in the file, by `new`."""

    path: Path
    old: Annotated[str, Field(min_length=1, max_length=500_000)]
    new: Annotated[str, Field(max_length=500_000)]


def definition(name: str, description: str, model: type[BaseModel]) -> dict[str, Any]:
    """A tool as the Messages API takes it."""
    return {"name": name, "description": description, "input_schema": _schema(model)}


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Made once, and not to be changed: it takes milliseconds, and every context asks for a dozen."""
    return model.model_json_schema()


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with an input, one line each, twenty at most."""
    found = [f"- {dotted(path) or 'the input'}: {sentence}" for path, sentence in problems_of(error, model)]
    more = [f"- and {len(found) - 20} more"] if len(found) > 20 else []
    return "\n".join([*found[:20], *more])
