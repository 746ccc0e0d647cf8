"""What is said about wrong data: the key, the value (80 characters of it), and what would have been taken."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from typing_extensions import TypedDict

from bot.domain.schema_problems import Problem, problems_of, unknown_key


def _raises(sentence: str) -> AfterValidator:
    def check(_value: str) -> str:
        raise ValueError(sentence)

    return AfterValidator(check)


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    colour: str = "red"
    size: int = 1


class Loose(TypedDict, total=False):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    inner: Leaf


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] | None = None
    named: dict[str, Leaf] = {}
    loose: Loose = {}
    code: Annotated[str, StringConstraints(pattern="^[a-z]+$")] = "a"
    plain: Annotated[str, _raises("this is wrong")] = "a"
    asked: Annotated[str, _raises("is it right?")] = "a"
    needed: dict[str, Leaf] = {}
    several: Annotated[list[int], Field(min_length=2)] = [1, 2]
    count: Annotated[int, Field(le=3)] = 1


class Need(BaseModel):
    tree: Tree
    whole: int


def _problems(value: dict[str, Any], model: type[BaseModel] = Tree) -> tuple[Problem, ...]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    return problems_of(caught.value, model, ("top",))


@pytest.mark.parametrize(
    ("value", "path", "sentence"),
    [
        ({"leaf": {"color": "x"}}, ("leaf", "color"), "The key 'color' is not known here; did you mean 'colour'?"),
        ({"leaf": {"zz": 1}}, ("leaf", "zz"), "The key 'zz' is not known here; known are: colour, size."),
        (
            {"named": {"a": {"zz": 1}}},
            ("named", "a", "zz"),
            "The key 'zz' is not known here; known are: colour, size.",
        ),
        ({"leaves": ({"zz": 1},)}, ("leaves", 0, "zz"), "The key 'zz' is not known here; known are: colour, size."),
        ({"loose": {"zz": 1}}, ("loose", "zz"), "The key 'zz' is not known here; none is taken."),
        ({"loose": {"inner": {"zz": 1}}}, ("loose", "inner", "zz"), "The key 'zz' is not known here; none is taken."),
        ({"code": "A" * 90}, ("code",), f"The value {'A' * 80!r} does not have the form ^[a-z]+$."),
        ({"plain": "b"}, ("plain",), "This is wrong."),
        ({"asked": "b"}, ("asked",), "Is it right?"),
        ({"leaf": {"size": "9" * 90}}, ("leaf", "size"), f"This must be a whole number, not {'9' * 80!r}."),
        ({"leaf": {"size": None}}, ("leaf", "size"), "This must be a whole number."),
        ({"several": [1]}, ("several",), "List should have at least 2 items after validation, not 1."),
        ({"count": 4}, ("count",), "Input should be less than or equal to 3."),
    ],
)
def test_one_problem_has_one_sentence(value: dict[str, Any], path: tuple[str | int, ...], sentence: str) -> None:
    assert _problems(value) == ((("top", *path), sentence),)


def test_the_keys_of_the_innermost_model_are_told() -> None:
    assert _problems({"tree": {"leaf": {"zz": 1}}, "whole": 1}, Need) == (
        (("top", "tree", "leaf", "zz"), "The key 'zz' is not known here; known are: colour, size."),
    )


def test_a_missing_key_is_named_by_its_own_name() -> None:
    assert _problems({"tree": {}}, Need) == ((("top", "whole"), "The key 'whole' is missing."),)

    class Outer(BaseModel):
        need: Need

    assert _problems({"need": {"tree": {}}}, Outer) == ((("top", "need", "whole"), "The key 'whole' is missing."),)


def test_a_short_list_with_wrong_items_is_said_once() -> None:
    class Words(BaseModel):
        model_config = ConfigDict(strict=True)

        first: Annotated[tuple[Annotated[str, StringConstraints(pattern="^a")], ...], Field(min_length=2)] = ("a", "a")
        other: Annotated[tuple[str, ...], Field(min_length=2)] = ("a", "a")

    both = _problems({"first": ("b",), "other": ("b",)}, Words)
    assert [path for path, _ in both] == [("top", "first", 0), ("top", "other")]


def test_a_long_key_is_shown_up_to_80_characters() -> None:
    assert f"The key {'k' * 80!r} is not known here; known are: a." == unknown_key("k" * 90, ["a"])
    long = "k" * 79
    assert unknown_key(long + "mn", [long]) == f"The key {long + 'm'!r} is not known here; did you mean {long!r}?"
