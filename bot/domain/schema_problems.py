"""Turns what pydantic says about data that people wrote into sentences at places: which key, what is wrong, what was meant."""

from __future__ import annotations

import difflib
import typing
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.domain.positioned_yaml import Path

Problem: TypeAlias = tuple[Path, str]

_SENTENCES: Final = {
    "missing": "This key is missing.",
    "string_type": "This must be text.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "tuple_type": "This must be a list.",
    "list_type": "This must be a list.",
    "dict_type": "This must be a mapping of keys to values.",
    "model_type": "This must be a mapping of keys to values.",
    "model_attributes_type": "This must be a mapping of keys to values.",
}


def nearest(word: str, known: typing.Iterable[str]) -> str | None:
    """The known word that ``word`` most likely was meant to be, or None."""
    found = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown_key(key: str, known: typing.Iterable[str]) -> str:
    """The sentence for a key that is not taken here."""
    keys = sorted(known)
    if (meant := nearest(key, keys)) is not None:
        return f"The key {key[:80]!r} is not known here; did you mean {meant!r}?"
    known_ones = f"known are: {', '.join(keys)}" if keys else "none is taken"
    return f"The key {key[:80]!r} is not known here; {known_ones}."


def problems_of(error: ValidationError, model: type[BaseModel], at: Path = ()) -> tuple[Problem, ...]:
    """Every problem of ``error``, raised by validating ``model`` on the value at ``at``, in document order of pydantic's."""
    details = error.errors(include_url=False, include_context=True)
    return tuple(
        ((*at, *detail["loc"]), _sentence(detail, model))
        for detail in details
        if not _follows_from_another(detail, details)
    )


def _follows_from_another(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """A list whose items failed is also reported as too short, which says nothing new."""
    loc = detail["loc"]
    beneath = (one for one in details if len(one["loc"]) > len(loc) and one["loc"][: len(loc)] == loc)
    return detail["type"] == "too_short" and next(beneath, None) is not None


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        return unknown_key(str(loc[-1]), _keys_at(model, loc[:-1]))
    if kind == "missing":
        return f"The key {str(loc[-1])!r} is missing."
    if kind == "string_pattern_mismatch":
        return f"The value {str(detail.get('input'))[:80]!r} does not have the form {detail['ctx']['pattern']}."
    said = _SENTENCES.get(kind)
    if said is None:
        text = detail["msg"].removeprefix("Value error, ")
        said = text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
    seen = detail.get("input")
    if isinstance(seen, str | int | float):
        said = f"{said[:-1]}, not {str(seen)[:80]!r}." if said.endswith(".") and kind in _SENTENCES else said
    return said


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the model at ``loc`` inside ``model`` takes; empty where a loc leaves what can be followed."""
    here: Any = model
    for part in loc:
        if not (isinstance(here, type) and issubclass(here, BaseModel)):
            return []
        field = next((one for name, one in here.model_fields.items() if part in {name, one.alias}), None)
        # An index, a key of a mapping or the tag of a union leads to a model of the same kind.
        if field is not None:
            here = _model_in(field.annotation)
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return []
    return [one.alias or name for name, one in here.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in typing.get_args(annotation):
        if (found := _model_in(inner)) is not None:
            return found
    return None
