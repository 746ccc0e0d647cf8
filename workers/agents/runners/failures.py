"""The failing statements that run (c) of the work gate plants.

Each is drawn anew, from a file's own words, so that code under test cannot tell a planted failure from one of its own:
what lets the one pass lets the other pass, and is found out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Final

_WORDS: Final = ("value", "result", "item", "count", "name", "total", "index", "first", "state", "width")
_OWN: Final = re.compile(rb"[A-Za-z_]{3,20}")
_MOST_READ: Final = 1 << 16
_SYLLABLES: Final = tuple(one + two for one in "bcdfghjklmnprstvwz" for two in "aeiou")
_ERRORS: Final = ("ValueError", "TypeError", "KeyError", "RuntimeError", "LookupError", "IndexError", "AttributeError")
_JS_ERRORS: Final = ("Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError")
_ASSERTIONS_IN_FOUR: Final = 3


def name_from(chance: Random) -> str:
    """A word that stands in no file: letters only, pronounceable, no length of its own."""
    return "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(5, 8)))


def endings(chance: Random, count: int) -> list[str]:
    """What is put behind one word to make ``count`` names, none of which is contained in another."""
    return chance.sample(_SYLLABLES, count)


@dataclass(frozen=True, slots=True)
class Failures:
    """Draws statements. ``words``: what messages and values are made of."""

    chance: Random
    words: tuple[str, ...]

    @staticmethod
    def of(chance: Random, data: bytes) -> Failures:
        """``data``: the file in or beside which the statements will stand."""
        own = sorted({one.decode() for one in _OWN.findall(data[:_MOST_READ])})
        return Failures(chance, (*own, *_WORDS))

    def _text(self) -> str:
        """A string literal, the same in every language."""
        return json.dumps(self.chance.choice(self.words))

    def _two(self) -> tuple[int, int]:
        first, second = self.chance.sample(range(1000), 2)
        return first, second

    def _message(self) -> str:
        one, two = self.chance.choices(self.words, k=2)
        first, second = self._two()
        told = (
            f"{one} is {first}, not {second}",
            f"{one} of {two}",
            f"expected {first}, got {second}",
            f"no {one} in {two}",
            f"{one}: {two}",
            one,
        )
        return json.dumps(self.chance.choice(told))

    def _differ(self) -> tuple[str, str]:
        """Two literals of one shape that are not equal."""
        first, second = (str(one) for one in self._two())
        text = self._text()
        shapes = (
            (first, second),
            (f"{first}.5", f"{second}.25"),
            (f"{text[:-1]}{first}{text[-1]}", f"{text[:-1]}{second}{text[-1]}"),
            (f"[{first}]", f"[{second}]"),
            (f"[{first}, {text}]", f"[{second}, {text}]"),
            (f"({text}, {first})", f"({text}, {second})"),
            (f"{{{text}: {first}}}", f"{{{text}: {second}}}"),
            ("None", first),
            ("[]", f"[{text}]"),
        )
        return self.chance.choice(shapes)

    def assertion(self) -> str:
        """Python, one line: raises AssertionError."""
        left, right = self._differ()
        small, great = sorted(self._two())
        return self.chance.choice(
            (
                f"assert {left} == {right}",
                f"assert {right} == {left}, {self._message()}",
                f"assert {small} > {great}",
                f"assert {great} <= {small}",
                f"assert {self._text()} in [{small}, {great}]",
                f"assert not [{self._text()}]",
                f"raise AssertionError({self._message()})",
            )
        )

    def python(self) -> str:
        """Python, one line: raises AssertionError in three of four, another exception else."""
        if self.chance.randrange(4) < _ASSERTIONS_IN_FOUR:
            return self.assertion()
        raised = f"raise {self.chance.choice(_ERRORS)}({self._message()})"
        return self.chance.choice((raised, raised, f"{{}}[{self._text()}]", f"[][{self._two()[0]}]"))

    def unittest(self) -> list[str]:
        """Python: calls of a TestCase's assertions, each of which may have been replaced."""
        left, right = self._differ()
        small, great = sorted(self._two())
        found = [
            f"self.assertEqual({left}, {right})",
            f"self.assertTrue({small} > {great})",
            f"self.assertFalse([{self._text()}])",
            f"self.assertIn({self._text()}, [{great}])",
            f"self.assertIsNone({self._text()})",
            f"self.fail({self._message()})",
        ]
        self.chance.shuffle(found)
        return found

    def javascript(self) -> str:
        """One statement that throws what assertions throw, or another error."""
        actual, expected = self._two()
        told = json.dumps(f"Expected values to be strictly equal:\n\n{actual} !== {expected}\n")
        asserted = (
            f'throw Object.assign(new Error({told}), {{ name: "AssertionError", code: "ERR_ASSERTION", '
            f'generatedMessage: true, actual: {actual}, expected: {expected}, operator: "strictEqual" }});'
        )
        thrown = f"throw new {self.chance.choice(_JS_ERRORS)}({self._message()});"
        return self.chance.choice((asserted, thrown, f"JSON.parse('{{{self._text()}');", f"(void 0)[{self._text()}];"))

    def node(self, module: str) -> list[str]:
        """Calls of node's assertions, each of which may have been replaced, and one that throws. ``module``: its name."""
        first, second = self._two()
        text = self._text()
        found = [
            self.javascript(),
            f"{module}.strictEqual({first}, {second});",
            f"{module}.equal({second}, {first});",
            f"{module}.deepStrictEqual([{text}, {first}], [{text}, {second}]);",
            f"{module}.ok({first} === {second});",
        ]
        self.chance.shuffle(found)
        return found

    def go(self, testing: str) -> str:
        """One statement that makes a Go test fail. ``testing``: what the test calls its ``*testing.T``."""
        first, second = self._two()
        method = self.chance.choice(("Fatalf", "Errorf"))
        return self.chance.choice(
            (
                f"{testing}.{self.chance.choice(('Fatal', 'Error'))}({self._message()})",
                f'{testing}.{method}("got %d, want %d", {first}, {second})',
                f'{testing}.{method}("%q is {first}, not %d", {self._text()}, {second})',
                f'{testing}.{method}("%s: %v", {self._text()}, []int{{{first}}})',
                f"{testing}.FailNow()",
            )
        )
