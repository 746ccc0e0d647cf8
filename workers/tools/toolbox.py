"""The tools of one context: which there are, what each takes, and one answer for whatever a model sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from bot.domain.hidden_characters import unveiled, veils
from workers.sandbox.errors import UnsafePath
from workers.tools.contracts import (
    EditFile,
    ListFiles,
    ReadDiff,
    ReadFile,
    ReadFileAt,
    Run,
    Search,
    ShowOutput,
    WriteFile,
    definition,
    sentences,
)
from workers.tools.diffs import Diffs
from workers.tools.reading import Reading
from workers.tools.running import Running
from workers.tools.said import Refused, Said
from workers.tools.searching import Searching
from workers.tools.sources import FolderSource
from workers.tools.writing import Writing


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its name, its input's model, and what it does. ``description`` defaults to the model's."""

    name: str
    model: type[BaseModel]
    act: Callable[[Any], Said]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What one role may call; nothing else exists for it (I5). ``submit`` takes the raw input and answers by itself."""

    role: str
    tools: Mapping[str, Tool]
    submit_name: str
    submit_definition: Mapping[str, Any]
    submit: Callable[[dict[str, Any]], Said]

    def definitions(self) -> list[dict[str, Any]]:
        """As the Messages API takes them."""
        plain = [
            definition(one.name, one.description or (one.model.__doc__ or ""), one.model) for one in self.tools.values()
        ]
        return [*plain, dict(self.submit_definition)]

    def call(self, name: str, given: dict[str, Any]) -> Said:
        """Answer one tool use. Raises what stops the whole context: no sandbox, a broken promise of ours."""
        if name == self.submit_name:
            return self.submit(given)
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join([*self.tools, self.submit_name])
            return Said(
                f"There is no tool {name[:80]!a} for the {self.role}; there is: {known}.",
                is_error=True,
                decision="deny",
                rule="tool.unknown",
            )
        try:
            asked = tool.model.model_validate(given)
        except ValidationError as error:
            text = f"The input of {name} is not what it takes:\n{sentences(error, tool.model)}"
            return Said(text, is_error=True, decision="deny", rule="tool.input")
        try:
            said = tool.act(asked)
        except (Refused, UnsafePath) as refused:
            return Said(refused.sentence, is_error=True, decision="deny", rule="tool.refused")
        return (
            said
            if said.rule
            else Said(
                said.text, said.is_error, said.decision, f"tool.{name}", said.exit_code, said.raw_tokens, said.ends
            )
        )


def reading_tools(
    reading: Reading, searching: Searching, running: Running, diffs: Diffs | None = None
) -> Sequence[Tool]:
    """What every role has; reviewers of code also have the diff and both sides of it."""
    both = diffs is not None
    tools = [
        Tool("list_files", ListFiles, reading.list_files),
        Tool("read_file", ReadFileAt if both else ReadFile, reading.read_file),
        Tool("search", Search, searching.search),
        Tool("run", Run, running.run),
        Tool("show_output", ShowOutput, running.show_output),
    ]
    if diffs is not None:
        tools.append(Tool("read_diff", ReadDiff, diffs.read_diff))
    return tools


def writing_tools(writing: Writing) -> Sequence[Tool]:
    """What implementers have besides. Marks of hidden characters become what they stand for in the file at hand."""

    def write_file(asked: WriteFile) -> Said:
        known = _veils(writing, asked.path)
        return writing.write_file(asked.model_copy(update={"content": unveiled(asked.content, known)}))

    def edit_file(asked: EditFile) -> Said:
        known = _veils(writing, asked.path)
        texts = {"old": unveiled(asked.old, known), "new": unveiled(asked.new, known)}
        return writing.edit_file(asked.model_copy(update=texts))

    return [Tool("write_file", WriteFile, write_file), Tool("edit_file", EditFile, edit_file)]


def _veils(writing: Writing, path: str) -> dict[str, str]:
    """Nothing for a file that is not there or cannot be read: the tool itself says so."""
    try:
        data = FolderSource(writing.root).read(path)
    except (Refused, UnsafePath):
        return {}
    return veils(data.decode("utf-8", "surrogateescape"))
