"""Readers take hostile files in time and memory that grow as the files do: told by what they keep, never by a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workers.agents.runners import rust_tests
from workers.agents.runners.unit import Reading, digest, shared, short
from workers.agents.runners.units import fact_of
from workers.agents.runners.units_go import go_units
from workers.agents.runners.units_java import java_units
from workers.agents.runners.units_javascript import javascript_units
from workers.agents.runners.units_python import python_units

LONG = "a" * 4_000
FEW = 400
"""Above what is kept as it is (200 of a kind, 1000 letters), so that twice of it shows how a reading grows."""


def kept(read: Reading | None) -> int:
    """Letters that a reading holds, each string once however often it is referred to, and each reference as one."""
    assert read is not None
    found: list[str] = []
    for name, unit in read.tests.items():
        found += [name, *unit.skips, *unit.cases, *unit.frame, *(step.text for step in unit.steps)]
        found += [use for step in unit.steps for use in step.uses]
    found += [*read.settings, *(one.text for one in read.settings.values()), *read.loose]
    return sum(len(text) for text in {id(one): one for one in found}.values()) + len(found)


def grows(make: Callable[[int], str], read: Callable[[bytes], Reading | None]) -> float:
    """By how much a reading grows when the file that ``make`` makes is twice as long: about 2, or 4 where each repeats all."""
    return kept(read(make(2 * FEW).encode())) / kept(read(make(FEW).encode()))


def long(n: int) -> str:
    return "a" * 20 * n


PYTHON: dict[str, Callable[[int], str]] = {
    "a long condition": lambda n: f"def test_a():\n  if f('{long(n)}'):\n" + "    g()\n" * n,
    "a long loop in a loop": lambda n: f"def test_a():\n  for x in '{long(n)}':\n   while y:\n" + "    assert x\n" * n,
    "a long handler": lambda n: "def test_a():\n  try:\n" + "    g()\n" * n + f"  except E:\n    h('{long(n)}')\n",
    "a long context": lambda n: f"def test_a():\n  with f('{long(n)}'):\n" + "    g()\n" * n,
    "a long class": lambda n: f"class Test{long(n)}:\n" + "".join(f"  def test_{one}(self): g()\n" for one in range(n)),
    "a class of many bases": lambda n: f"class TestA({'x,' * n}):\n" + "".join(f"  def test_{one}(self): g()\n" for one in range(n)),
    "a long block of statements": lambda n: f"if f('{long(n)}'):\n" + "  g()\n" * n,
    "many skips": lambda n: "pytest.skip()\n" * n + "".join(f"def test_{one}(): g()\n" for one in range(n)),
}  # fmt: skip


@pytest.mark.parametrize("make", PYTHON.values(), ids=PYTHON)
def test_what_a_python_reading_holds_grows_as_the_file(make: Callable[[int], str]) -> None:
    assert grows(make, python_units) < 2.2


def titles(n: int) -> str:
    return "".join(f"it('{one}', () => {{}});" for one in range(n))


JS: dict[str, Callable[[int], str]] = {
    "a long condition": lambda n: f"it('a', () => {{ if (f('{long(n)}')) {{ {'g();' * n} }} }});",
    "a long title": lambda n: f"describe('{long(n)}', () => {{ {titles(n)} }});",
    "many frames": lambda n: f"describe('a', {'x,' * n} () => {{ {titles(n)} }});",
    "many rows": lambda n: f"describe.each([{'1,' * n}])('a', () => {{ {titles(n)} }});",
    "many skips": lambda n: f"describe('a', () => {{ beforeEach(() => {{ {'this.skip();' * n} }}); {titles(n)} }});",
}


@pytest.mark.parametrize("make", JS.values(), ids=JS)
def test_what_a_javascript_reading_holds_grows_as_the_file(make: Callable[[int], str]) -> None:
    assert grows(make, lambda data: javascript_units(data, "javascript")) < 2.2


def methods(n: int) -> str:
    return "".join(f"@Test void a{one}() {{}}\n" for one in range(n))


GO: tuple[Callable[[int], str], ...] = (
    lambda n: f'package a\nfunc TestA(t *testing.T) {{ if f("{long(n)}") {{ {"g(); " * n} }} }}\n',
    lambda n: "//go:build a\n" * n + "package a\n" + "".join(f"func Test{one}() {{}}\n" for one in range(n)),
)
JAVA: tuple[Callable[[int], str], ...] = (
    lambda n: f'class A {{ @Test void a() {{ if (f("{long(n)}")) {{ {"g();" * n} }} }} }}',
    lambda n: f"class A{long(n)} {{ {methods(n)} }}",
    lambda n: "@Disabled\n" * n + f"class A {{ {methods(n)} }}",
    lambda n: "@X\n" * n + f"class A {{ {methods(n)} }}",
)


def test_what_go_and_java_readings_hold_grows_as_the_file() -> None:
    assert all(grows(make, go_units) < 2.2 for make in GO)
    assert all(grows(make, java_units) < 2.2 for make in JAVA)


def test_digests_tell_texts_and_their_ends_apart() -> None:
    assert len(digest("a", "b")) == len(digest(LONG)) == 32
    assert len({digest("ab"), digest("a", "b"), digest("b", "a"), digest("a")}) == 4
    assert digest("\ud800") != digest("?")
    assert (short("A" * 1_000), len(short(LONG))) == ("A" * 1_000, 1_033)
    assert short(LONG + "x") != short(LONG + "y")
    assert (shared(["a"] * 200), len(shared(["a"] * 201))) == (("a",) * 200, 1)
    assert shared(["a"] * 201) != shared(["a"] * 202)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.test.js", "it('a', () => { assert(\"" + "||1," * 30_000 + '").x; });\n'),
        ("a.test.js", "it('a', () => { assert(" + "f ||1 ||1," * 3_000 + ").x; });\n"),
        ("ATest.java", 'class ATest { @Test void a() { assertTrue("' + "||true," * 30_000 + '").x(); } }\n'),
        ("test_a.py", "def test_a():\n    assert x\n" * 4_000),
        ("test_a.py", "class TestA:\n  def test_a(self):\n    assert x\n" * 1_000),
        ("ATest.java", "class ATest { " + "@Test void a() { f(); }\n" * 1_000 + "}\n"),
        ("a.test.js", "beforeEach(() => {});\n" * 2_000 + "it('a', () => {});\n"),
    ],
)
def test_more_files_that_are_made_to_exhaust_a_reader_end(path: str, text: str) -> None:
    fact = fact_of(path, "test", "modified", text.encode(), b"")
    assert not fact.readable or fact.deleted


@pytest.mark.parametrize(
    ("path", "assertion", "empty"),
    [
        ("a.test.js", "assert(f() || true, 'long ' + 'message')", True),
        ("a.test.js", "t.ok(true, 'x')", True),
        ("a.test.js", "assert(f(), true)", False),
        ("a.test.js", "assert('||1,')", False),
        ("ATest.java", 'assertTrue("message", f() || true)', True),
        ("ATest.java", 'assertTrue(true, "message")', True),
        ("ATest.java", "assertFalse(false)", True),
        ("ATest.java", "assertNull(null)", True),
        ("ATest.java", "assertFalse(f())", False),
        ("ATest.java", 'assertTrue("||true", f())', False),
    ],
)
def test_assertions_that_cannot_fail_are_told_by_their_arguments(path: str, assertion: str, empty: bool) -> None:
    around = {"a.test.js": 'it("a", () => { %s; });', "ATest.java": "class ATest { @Test void a() { %s; } }"}
    fact = fact_of(path, "test", "added", None, (around[path] % assertion).encode())
    assert bool(fact.hollow) is empty


RUST = "#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() { assert_eq!(f([1; 2]), 1); }\n    const X: u8 = 1;\n}\n"


@pytest.mark.parametrize("more", ["#[cfg(test)]\n", "#[test]\n", "#[cfg(test)] mod a {"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_rust_files_with_too_many_marks_count_as_changed_unread(
    more: str, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def items(text: str) -> list[str]:
        read.append(text)
        return []

    monkeypatch.setattr(rust_tests, "_items", items)
    many = (RUST + more * 600).encode()
    old, new = (many, RUST.encode()) if side == "before" else (RUST.encode(), many)
    assert rust_tests.tests_changed(old, new)
    assert read == []


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("fn a()", "fn  a( )", False),
        ("}\n", "}\nfn more() {}\n", False),
        ("const X: u8 = 1;", "const X: u8 = 2;", True),
        ("const X: u8 = 1;", "const X: u8 = 1;\n    const Y: u8 = 2;", False),
        ("assert_eq!(f([1; 2]), 1);", "", True),
        ("    #[test]", "    #[ignore]\n    #[test]", True),
        ("#[cfg(test)]", "#[cfg(all(test, never))]", True),
    ],
)
def test_rust_items_end_where_they_did(old: str, new: str, changed: bool) -> None:
    assert rust_tests.tests_changed(RUST.encode(), RUST.replace(old, new, 1).encode()) is changed


def test_a_rust_file_is_read_once_however_many_items_it_has() -> None:
    items = "a;" * 10_000
    text = f"#[cfg(test)]\nmod tests {{ {items} }}\n" + "#[cfg" * 10_000
    assert rust_tests.tests_changed(text.encode(), text.replace("a;", "b;", 1).encode())
    assert not rust_tests.tests_changed(text.encode(), text.encode())
