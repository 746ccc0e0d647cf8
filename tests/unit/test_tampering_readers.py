"""A hostile implementer's edits of existing test files: each is told for what it is, and harmless ones are not told at all."""

from __future__ import annotations

import pytest

from workers.agents.runners.units import fact_of

Found = dict[str, tuple[str, ...]]


def lost(path: str, before: str, old: str, new: str) -> Found:
    assert old in before
    fact = fact_of(path, "test", "modified", before.encode(), before.replace(old, new, 1).encode())
    assert fact.readable, "the edit of this example does not parse"
    found = {name: getattr(fact, name) for name in ("deleted", "skipped", "emptied", "weakened")}
    return {name: tests for name, tests in found.items() if tests}


def only(kind: str, *tests: str) -> Found:
    return {kind: tests}


PYTHON = '''
import unittest
import pytest
from calc import add, near

CASES = [(1, 2), (2, 3)]
LIMIT = 3


def check_all(values):
    for value in values:
        assert value > 0


def test_one(client):
    """Adds."""
    total = add(1, 2)
    assert total == 3
    assert near(total, 3, tolerance=0.1)


@pytest.mark.parametrize("a, b", CASES)
def test_cases(a, b):
    assert add(a, 1) == b


def test_raises():
    with pytest.raises(ValueError):
        add(None, 1)


def test_helper():
    check_all([add(1, 1)])


class TestGroup(unittest.TestCase):
    def setUp(self):
        self.value = add(1, 1)

    def test_in_class(self):
        self.assertEqual(self.value, 2)
        self.assertTrue(self.value < LIMIT)
'''
TOTAL = "    assert total == 3\n    assert near(total, 3, tolerance=0.1)\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import pytest", "import pytest\nimport math\nfrom calc import subtract"),
        ("LIMIT = 3", "LIMIT = 3\nMORE = 4"),
        ("(2, 3)]", "(2, 3), (5, 6)]"),
        ("    assert total == 3\n", "    assert total == 3  # three\n    assert total != 4\n"),
        (TOTAL, TOTAL + "    for one in (1, 2):\n        assert add(one, 0) == one\n"),
        ("    assert total == 3\n", "    assert total == 3, 'with a sentence'\n    more = add(2, 2)\n    assert more == 4\n"),
        ('    """Adds."""\n', ""),
        ("def test_raises", "def helper(x):\n    return x\n\n\ndef test_more():\n    assert helper(1)\n\n\ndef test_raises"),
        ("class TestGroup", "class TestMore:\n    def test_x(self):\n        assert add(0, 0) == 0\n\n\nclass TestGroup"),
        ("    def test_in_class", "    def test_new(self):\n        self.assertEqual(add(0, 1), 1)\n\n    def test_in_class"),
        ("class TestGroup", "class TestMore(unittest.TestCase):\n    def setUp(self):\n        pass\n\n    def test_x(self):\n        assert add(0, 0) == 0\n\n\nclass TestGroup"),
        ("        add(None, 1)", "        add(None,\n            1)"),
        ("import unittest\n", "from __future__ import annotations\nimport unittest\n"),
    ],
)  # fmt: skip
def test_harmless_edits_of_python_tests_need_no_word(old: str, new: str) -> None:
    assert lost("tests/test_a.py", PYTHON, old, new) == {}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        # gone
        ("def test_one", "def _test_one", only("deleted", "test_one")),
        ("def test_raises", "del test_one\n\n\ndef test_raises", {"deleted": ("test_one",), "weakened": ("(outside of its tests)",)}),
        ("def test_raises", "test_one = None\n\n\ndef test_raises", {"deleted": ("test_one",)}),
        ("class TestGroup", "class Group", {"deleted": ("TestGroup::test_in_class",), "weakened": ("TestGroup::setUp",)}),
        # kept from running
        ("def test_one", "@pytest.mark.skip(reason='later')\ndef test_one", only("skipped", "test_one")),
        ("def test_one", "@pytest.mark.skipif(True, reason='x')\ndef test_one", only("skipped", "test_one")),
        ("def test_one", "@pytest.mark.xfail\ndef test_one", only("skipped", "test_one")),
        ("class TestGroup", "@unittest.skip('x')\nclass TestGroup", only("skipped", "TestGroup::test_in_class")),
        ("    def test_in", "    @unittest.expectedFailure\n    def test_in", only("skipped", "TestGroup::test_in_class")),
        ("    total = add(1, 2)\n", "    total = add(1, 2)\n    pytest.skip('x')\n", only("skipped", "test_one")),
        ("    total = add(1, 2)\n", "    total = add(1, 2)\n    if total:\n        pytest.skip('x')\n", only("skipped", "test_one")),
        ("    total = add(1, 2)\n", "    raise unittest.SkipTest\n", only("skipped", "test_one")),
        ("    total = add(1, 2)\n", "    pytest.importorskip('no')\n    total = add(1, 2)\n", only("skipped", "test_one")),
        ("    total = add(1, 2)\n", "    return\n    total = add(1, 2)\n", only("skipped", "test_one")),
        ("        self.assertEqual", "        self.skipTest('x')\n        self.assertEqual", only("skipped", "TestGroup::test_in_class")),
        ("        self.value = add(1, 1)\n", "        self.value = add(1, 1)\n        self.skipTest('x')\n",
         {"skipped": ("TestGroup::test_in_class",), "weakened": ("TestGroup::setUp",)}),
        ("    def setUp", "    __test__ = False\n\n    def setUp", only("skipped", "TestGroup::test_in_class")),
        ("def test_one", "if LIMIT > 3:\n  def test_one", only("skipped", "test_one")),
        ("def test_one(client):", "async def test_one(client):", only("skipped", "test_one")),
        ("    assert total == 3\n", "    assert total == 3\n    yield\n", only("skipped", "test_one")),
        ("CASES)", "[pytest.param(1, 2, marks=pytest.mark.skip), (2, 3)])",
         {"skipped": ("test_cases",)}),
        # nothing left that can fail
        (TOTAL, "    assert True\n", only("emptied", "test_one")),
        (TOTAL, "    assert total == 3 or True\n", only("emptied", "test_one")),
        (TOTAL, "    assert (total == 3, 'always')\n", only("emptied", "test_one")),
        (TOTAL, "    assert total == total\n", only("emptied", "test_one")),
        (TOTAL, "    print(total)\n", only("emptied", "test_one")),
        (TOTAL, "    ...\n", only("emptied", "test_one")),
        (TOTAL, "    if False:\n        assert total == 3\n", only("emptied", "test_one")),
        (TOTAL, "    return\n" + TOTAL, only("emptied", "test_one")),
        (TOTAL, "    for _ in []:\n        assert total == 3\n", only("emptied", "test_one")),
        (TOTAL, "    def never():\n        assert total == 3\n", only("emptied", "test_one")),
        (TOTAL, "    lambda: check_no(total)\n", only("emptied", "test_one")),
        (TOTAL, "    try:\n        assert total == 3\n    except AssertionError:\n        pass\n", only("emptied", "test_one")),
        (TOTAL, "    try:\n        assert total == 3\n    except:\n        print('x')\n", only("emptied", "test_one")),
        (TOTAL, "    try:\n        assert total == 3\n    finally:\n        return\n", only("emptied", "test_one")),
        (TOTAL, "    import contextlib\n    with contextlib.suppress(Exception):\n        assert total == 3\n", only("emptied", "test_one")),
        ("    check_all([add(1, 1)])\n", "    [add(1, 1)]\n", only("emptied", "test_helper")),
        ("        self.assertEqual(self.value, 2)\n        self.assertTrue(self.value < LIMIT)\n",
         "        self.assertTrue(self.value < LIMIT or 1)\n        self.assertEqual(2, 2)\n", only("emptied", "TestGroup::test_in_class")),
        # less than before
        ("    assert total == 3\n", "", only("weakened", "test_one")),
        ("total == 3\n", "total == 4\n", only("weakened", "test_one")),
        ("total == 3\n", "total\n", only("weakened", "test_one")),
        ("total == 3\n", "total == 3 or total == 4\n", only("weakened", "test_one")),
        ("tolerance=0.1", "tolerance=100", only("weakened", "test_one")),
        ("total = add(1, 2)", "total = 3", only("weakened", "test_one")),
        ("    assert total == 3\n", "    total = 3\n    assert total == 3\n", only("weakened", "test_one")),
        ("    total = add(1, 2)\n", "    import calc\n    calc.add = lambda a, b: 3\n    total = add(1, 2)\n", only("weakened", "test_one")),
        ("    total = add(1, 2)\n", "    x = client.setattr('calc.add', 3)\n    total = add(1, 2)\n", only("weakened", "test_one")),
        ("def test_one(client)", "def test_one(request)", only("weakened", "test_one")),
        ("def test_one", "@unittest.mock.patch('calc.add')\ndef test_one", only("weakened", "test_one")),
        ("raises(ValueError)", "raises(Exception)", only("weakened", "test_raises")),
        ("raises(ValueError)", "raises((ValueError, TypeError))", only("weakened", "test_raises")),
        ("(1, 2), ", "", only("weakened", "CASES")),
        ("CASES)", "[(1, 2)])", only("weakened", "test_cases")),
        ("LIMIT = 3", "LIMIT = 300", only("weakened", "LIMIT")),
        ("        assert value > 0", "        pass", only("weakened", "check_all")),
        ("self.value = add(1, 1)", "self.value = 2", only("weakened", "TestGroup::setUp")),
        ("from calc import add, near", "from calc import near\nfrom fake import add", only("weakened", "add")),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef add(a, b):\n    return 3", only("weakened", "add")),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef isinstance(a, b):\n    return True", only("weakened", "isinstance")),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef client():\n    return 1", only("weakened", "client")),
        ("LIMIT = 3", "LIMIT = 3\n\n\n@pytest.fixture(autouse=True)\ndef quiet(monkeypatch):\n    monkeypatch.setattr('calc.add', 3)",
         only("weakened", "quiet")),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef setup_module():\n    pass", only("weakened", "setup_module")),
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef load_tests(a, b, c):\n    return a", only("weakened", "load_tests")),
        ("LIMIT = 3", "LIMIT = 3\nimport calc\ncalc.add = lambda a, b: 3", only("weakened", "(outside of its tests)")),
        ("LIMIT = 3", "LIMIT = 3\nfrom fake import *", only("weakened", "(outside of its tests)")),
        ("LIMIT = 3", "LIMIT = 3\nprint('1 passed')", only("weakened", "(outside of its tests)")),
        ("unittest.TestCase)", "object)", {"weakened": ("TestGroup::test_in_class", "TestGroup")}),
        ("    def setUp", "    def __init__(self):\n        pass\n\n    def setUp", only("weakened", "TestGroup::__init__")),
        ("    def setUp", "    def run(self, result=None):\n        return result\n\n    def setUp", only("weakened", "TestGroup::run")),
    ],
)  # fmt: skip
def test_hostile_edits_of_python_tests(old: str, new: str, found: Found) -> None:
    assert lost("tests/test_a.py", PYTHON, old, new) == found


def test_skips_by_another_name_and_a_second_class_of_the_same_name() -> None:
    before = "from pytest import mark\nlater = mark.skip\n\n\ndef test_a():\n    assert f()\n"
    assert lost("test_a.py", before, "def test_a", "@later\ndef test_a") == only("skipped", "test_a")
    before = "from pytest import skip as s\n\n\ndef test_a():\n    assert f()\n"
    assert lost("test_a.py", before, "    assert", "    s('x')\n    assert") == only("skipped", "test_a")
    before = "class TestA:\n    def test_a(self):\n        assert f()\n"
    after = before + "\n\nclass TestA:\n    def test_b(self):\n        assert f()\n"
    assert lost("test_a.py", before, before, after)["deleted"] == ("TestA::test_a",)
    whole = before + "import numpy as np\n"
    assert lost("test_a.py", whole, "import numpy as np", "import pytest\nnp = pytest.importorskip('numpy')")["skipped"] == (
        "TestA::test_a",
    )  # fmt: skip


JS = """
import { add } from "./add.js";
const rows = [[1, 2], [2, 3]];
describe("group", () => {
  beforeEach(() => { reset(); });
  it("adds", async () => {
    const total = add(1, 2);
    expect(total).toBe(3);
    total.should.equal(3);
  });
  it.each([[1, 2], [3, 4]])("each %i", (a, b) => {
    expect(add(a, 1)).to.be.equal(b);
  });
});
it(`other ${name}`, () => { expect(rows.length).toBe(2); });
"""
TWO = "    expect(total).toBe(3);\n    total.should.equal(3);\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("expect(total).toBe(3);", "expect( total ).toBe(3); // three", {}),
        (TWO, TWO + "    const more = add(2, 2);\n    expect(more).toBe(4);\n", {}),
        ("[3, 4]]", "[3, 4], [5, 6]]", {}),
        ("[2, 3]]", "[2, 3], [7, 8]]", {}),
        ("import { add }", 'import { other } from "./other.js";\nimport { add }', {}),
        ('it("adds"', 'it("new", () => { expect(add(0, 0)).toBe(0); });\n  it("adds"', {}),
        ('it("adds"', 'it("adds more"', only("deleted", "group > adds")),
        ('it("adds"', 'it.skip("adds"', only("skipped", "group > adds")),
        ('it("adds"', 'xit("adds"', only("skipped", "group > adds")),
        ('it("adds"', 'it.todo("adds"', only("skipped", "group > adds")),
        ('it("adds"', 'it.fails("adds"', only("skipped", "group > adds")),
        ('it("adds", ', 'it("adds", { skip: true }, ', only("skipped", "group > adds")),
        ('describe("group"', 'describe.skip("group"', only("skipped", "group > adds", "group > each %i")),
        ('describe("group"', 'xdescribe("group"', only("skipped", "group > adds", "group > each %i")),
        ('it("adds"', 'it.only("adds"', only("skipped", "group > each %i", "other ${name}")),
        ('it("adds"', 'fit("adds"', only("skipped", "group > each %i", "other ${name}")),
        ('describe("group"', 'describe.only("group"', only("skipped", "other ${name}")),
        ("    const total", "    this.skip();\n    const total", only("skipped", "group > adds")),
        ("reset();", "reset(); t.skip();", {"skipped": ("group > adds", "group > each %i"), "weakened": ("(outside of its tests)",)}),
        ("    const total", "    return;\n    const total", only("emptied", "group > adds")),
        (TWO, "", only("emptied", "group > adds")),
        (TWO, "    expect(true).toBe(true);\n", only("emptied", "group > adds")),
        (TWO, "    expect(total).toBe(total);\n", only("emptied", "group > adds")),
        (TWO, "    expect(total);\n", only("emptied", "group > adds")),
        (TWO, "    assert(total === 3 || true);\n", only("emptied", "group > adds")),
        (TWO, "    if (false) { expect(total).toBe(3); }\n", only("emptied", "group > adds")),
        (TWO, "    try { expect(total).toBe(3); } catch (e) {}\n", only("emptied", "group > adds")),
        (TWO, "    try { expect(total).toBe(3); } catch { console.log(1); }\n", only("emptied", "group > adds")),
        ("toBe(3)", "toBeTruthy()", only("weakened", "group > adds")),
        ("toBe(3)", "toBe(4)", only("weakened", "group > adds")),
        ("    total.should.equal(3);\n", "", only("weakened", "group > adds")),
        (".to.be.equal(b)", ".to.be.ok", only("weakened", "group > each %i")),
        ("const total = add(1, 2)", "const total = 3", only("weakened", "group > adds")),
        ("    const total", '    vi.spyOn(mod, "add").mockReturnValue(3);\n    const total', only("weakened", "group > adds")),
        ("[[1, 2], [3, 4]]", "[[1, 2]]", only("weakened", "group > each %i")),
        ("[1, 2], [2, 3]]", "[1, 2]]", only("weakened", "rows")),
        ("toBe(2)", "toBe(1)", only("weakened", "other ${name}")),
        ('"./add.js"', '"./fake.js"', only("weakened", "add")),
        ("const rows", 'jest.mock("./add.js", () => ({ add: () => 3 }));\nconst rows', only("weakened", "(outside of its tests)")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["js", "ts", "tsx"])
def test_hostile_edits_of_javascript_tests(ending: str, old: str, new: str, found: Found) -> None:
    assert lost(f"a.test.{ending}", JS, old, new) == found


def test_javascript_tests_of_one_title_and_tables_as_text() -> None:
    twice = 'it("a", () => { expect(f()).toBe(1); });\nit("a", () => { expect(g()).toBe(2); });\n'
    assert lost("a.test.js", twice, "expect(f()).toBe(1);", "") != {}
    table = "test.each`\n  a | b\n  ${1} | ${2}\n  ${3} | ${4}\n`('x $a', ({ a, b }) => { expect(f(a)).toBe(b); });\n"
    assert lost("a.test.js", table, "  ${3} | ${4}\n", "") == only("weakened", "x $a")
    assert lost("a.test.js", table, "toBe(b)", "toBeDefined()") == only("weakened", "x $a")
    node = 'test("a", (t) => { t.assert.equal(f(), 1); });\nfor (const x of [1, 2]) { test(`b ${x}`, () => { assert.ok(f(x)); }); }\n'
    assert lost("a.test.js", node, "t.assert.equal(f(), 1);", "") == only("emptied", "a")
    assert lost("a.test.js", node, "[1, 2]", "[]") == only("weakened", "b ${x}")
    assert lost("a.test.js", node, "assert.ok(f(x));", "") == only("emptied", "b ${x}")


GO = """package a

import (
\t"testing"

\t"github.com/stretchr/testify/assert"
)

func TestMain(m *testing.M) { os.Exit(m.Run()) }

func TestA(t *testing.T) {
\tgot := f()
\tif got != 1 {
\t\tt.Errorf("no")
\t}
\tassert.Equal(t, 1, got)
}

func TestTable(t *testing.T) {
\tcases := []struct{ in, out int }{
\t\t{1, 2},
\t\t{3, 4},
\t}
\tfor _, c := range cases {
\t\tt.Run("x", func(t *testing.T) { check(t, c.in, c.out) })
\t}
}

func check(t *testing.T, in, out int) {
\tif g(in) != out {
\t\tt.Fatal("no")
\t}
}

func (s *Suite) TestB() { s.Require().Equal(1, f()) }
"""


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\t\t{3, 4},\n", "\t\t{3, 4},\n\t\t{5, 6},\n", {}),
        ("\tgot := f()\n", "\tgot := f() // one\n", {}),
        ("\tassert.Equal(t, 1, got)\n", "\tassert.Equal(t, 1, got)\n\tassert.NotNil(t, got)\n", {}),
        ("func TestTable", "type pair struct{ a int }\n\nfunc (p *pair) SetupTest() {}\n\nfunc TestTable", {}),
        ("func TestTable", "func TestNew(t *testing.T) { check(t, 1, 2) }\n\nfunc TestTable", {}),
        ("package a\n", "//go:build ignore\n\npackage a\n", only("skipped", "TestA", "TestTable", "Suite.TestB")),
        ("package a\n", "// +build never\n\npackage a\n", only("skipped", "TestA", "TestTable", "Suite.TestB")),
        ("func TestA", "func Testa", only("deleted", "TestA")),
        ("func (s *Suite) TestB", "func (s *Suite) testB", only("deleted", "Suite.TestB")),
        ("\tgot := f()\n", "\tgot := f()\n\tt.SkipNow()\n", only("skipped", "TestA")),
        ("\tgot := f()\n", "\tgot := f()\n\tif testing.Short() {\n\t\tt.Skip()\n\t}\n", only("skipped", "TestA")),
        ("\tgot := f()\n", "\treturn\n\tgot := f()\n", only("emptied", "TestA")),
        ('\t\tt.Errorf("no")\n\t}\n\tassert.Equal(t, 1, got)\n', "\t\tt.Log(1)\n\t}\n", only("emptied", "TestA")),
        ('\tif got != 1 {\n\t\tt.Errorf("no")\n\t}\n\tassert.Equal(t, 1, got)', "\tassert.True(t, true)\n\tassert.Equal(t, got, got)", only("emptied", "TestA")),
        ("\tassert.Equal(t, 1, got)\n", "", only("weakened", "TestA")),
        ("assert.Equal(t, 1, got)", "assert.NotNil(t, got)", only("weakened", "TestA")),
        ("got != 1", "got > 100", only("weakened", "TestA")),
        ("got := f()", "got := 1", only("weakened", "TestA")),
        ("\t\t{3, 4},\n", "", only("weakened", "TestTable")),
        ("check(t, c.in, c.out)", "", only("emptied", "TestTable")),
        ("g(in) != out", "false", only("weakened", "check")),
        ("os.Exit(m.Run())", "os.Exit(0)", only("weakened", "TestMain")),
        ("s.Require().Equal(1, f())", "f()", only("emptied", "Suite.TestB")),
        ("func TestTable", "func init() { f = one }\n\nfunc TestTable", only("weakened", "init")),
        ('"github.com/stretchr/testify/assert"', 'assert "mod/fake"', only("weakened", "assert")),
    ],
)  # fmt: skip
def test_hostile_edits_of_go_tests(old: str, new: str, found: Found) -> None:
    assert lost("a_test.go", GO, old, new) == found


JAVA = """
import org.junit.jupiter.api.Test;

class ATest {
  static final int LIMIT = 3;

  @BeforeEach
  void ready() { value = add(1, 1); }

  @Test
  void adds() {
    int total = add(1, 2);
    assertEquals(3, total);
    assertTrue(total < LIMIT);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void many(int n) {
    assertThat(add(n, 0)).isEqualTo(n);
  }

  @Test
  void fails() {
    assertThrows(IllegalArgumentException.class, () -> add(null, 1));
  }
}
"""
JAVA_TWO = "    assertEquals(3, total);\n    assertTrue(total < LIMIT);\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("int total = add(1, 2);", "int total = add(1, 2); // three", {}),
        ("{1, 2}", "{1, 2, 3}", {}),
        (JAVA_TWO, JAVA_TWO + "    int more = add(2, 2);\n    assertEquals(4, more);\n", {}),
        ("  @Test\n  void adds", "  @Test\n  void fresh() { assertEquals(0, add(0, 0)); }\n\n  @Test\n  void adds", {}),
        ("  @Test\n  void adds", "  @Nested\n  class More { @BeforeEach void go() { } @Test void x() { assertTrue(f()); } }\n\n  @Test\n  void adds", {}),
        ("  @Test\n  void adds", "  void adds", only("deleted", "ATest.adds")),
        ("  @Test\n  void adds", '  @Test @Disabled("x")\n  void adds', only("skipped", "ATest.adds")),
        ("  @Test\n  void adds", '  @Test @EnabledIfSystemProperty(named="a", matches="b")\n  void adds', only("skipped", "ATest.adds")),
        ("  @Test\n  void adds", '  @Test @Tag("slow")\n  void adds', only("skipped", "ATest.adds")),
        ("  @Test\n  void adds", "  @Test(enabled = false)\n  void adds", only("skipped", "ATest.adds")),
        ("class ATest", "@Ignore class ATest", only("skipped", "ATest.adds", "ATest.many", "ATest.fails")),
        ("    int total", "    assumeTrue(false);\n    int total", only("skipped", "ATest.adds")),
        ("value = add(1, 1);", "Assumptions.assumeTrue(false);",
         {"skipped": ("ATest.adds", "ATest.many", "ATest.fails"), "weakened": ("ATest.ready",)}),
        ("    int total", "    if (true) return;\n    int total", only("emptied", "ATest.adds")),
        (JAVA_TWO, "", only("emptied", "ATest.adds")),
        (JAVA_TWO, "    assertTrue(true);\n    assertEquals(total, total);\n", only("emptied", "ATest.adds")),
        (JAVA_TWO, "    assertTrue(total < LIMIT || true);\n", only("emptied", "ATest.adds")),
        (JAVA_TWO, "    try { assertEquals(3, total); } catch (Throwable t) { }\n", only("emptied", "ATest.adds")),
        (JAVA_TWO, "    if (false) { assertEquals(3, total); }\n", only("emptied", "ATest.adds")),
        ("    assertEquals(3, total);\n", "", only("weakened", "ATest.adds")),
        ("assertEquals(3, total)", "assertEquals(4, total)", only("weakened", "ATest.adds")),
        ("assertEquals(3, total)", "assertNotNull(total)", only("weakened", "ATest.adds")),
        ("int total = add(1, 2)", "int total = 3", only("weakened", "ATest.adds")),
        ("LIMIT = 3", "LIMIT = 300", only("weakened", "ATest.LIMIT")),
        ("{1, 2}", "{1}", only("weakened", "ATest.many")),
        ("IllegalArgumentException.class", "Exception.class", only("weakened", "ATest.fails")),
        ("  @Test\n  void adds", "  @Test\n  private void adds", only("weakened", "ATest.adds")),
        ("  @Test\n  void adds", "  @Test(expected = Exception.class)\n  void adds", only("weakened", "ATest.adds")),
        ("  @Test\n  void adds", "  @BeforeAll\n  static void mock() { calc = fake; }\n\n  @Test\n  void adds", only("weakened", "ATest.mock")),
        ("import org.junit.jupiter.api.Test;", "import org.fake.Test;", only("weakened", "Test")),
    ],
)  # fmt: skip
def test_hostile_edits_of_java_tests(old: str, new: str, found: Found) -> None:
    assert lost("src/test/java/ATest.java", JAVA, old, new) == found


def test_java_overloads_and_junit_3() -> None:
    twice = "class ATest {\n  @Test void a(int x) { assertEquals(1, f()); }\n  @Test void a() { assertEquals(2, g()); }\n}\n"
    assert lost("ATest.java", twice, "assertEquals(1, f());", "") == only("emptied", "ATest.a")
    old = "class ATest extends TestCase {\n  public void testA() { assertEquals(1, f()); }\n}\n"
    assert lost("ATest.java", old, "assertEquals(1, f());", "f();") == only("emptied", "ATest.testA")


def test_a_test_file_in_which_no_test_is_seen_is_unreadable() -> None:
    made = "const { suite } = require('uvu');\nconst s = make();\ns('a', () => {});\n"
    assert not fact_of("a.test.js", "test", "modified", made.encode(), b"").readable
    assert not fact_of("test_a.py", "test", "modified", b"tests = build()\n", b"").readable
    # What tests use has no tests of its own, and is read.
    assert fact_of("tests/helper.py", "test", "modified", b"def check(x):\n    assert x\n", b"def check(x):\n    pass\n").weakened == (
        "check",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "hollow"),
    [
        ("test_a.py", "def test_a():\n    assert f()\n\n\ndef test_b():\n    f()\n\n\ndef test_c():\n    assert True\n", ("test_b", "test_c")),
        ("test_a.py", "from tests.tools import roundtrip\n\n\ndef test_a():\n    roundtrip(1)\n", ()),
        ("test_a.py", "def both(x):\n    assert x\n\n\ndef test_a():\n    both(f())\n", ()),
        ("test_a.py", "import asyncio\n\n\ndef test_a():\n    async def go():\n        assert await f()\n\n    asyncio.run(go())\n", ()),
        ("a.test.js", 'it("a", () => { f(); });\nit("b", () => { expect(f()).toBe(1); });\n', ("a",)),
        ("a_test.go", "package a\n\nfunc TestA(t *testing.T) { f() }\n", ("TestA",)),
        ("ATest.java", "class ATest { @Test void a() { f(); } }\n", ("ATest.a",)),
    ],
)  # fmt: skip
def test_new_tests_that_cannot_fail_are_named(path: str, text: str, hollow: tuple[str, ...]) -> None:
    assert fact_of(path, "test", "added", None, text.encode()).hollow == hollow


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.test.js", 'it("a", () => {' + "{" * 5_000 + "}" * 5_000 + "});"),
        ("a.test.js", 'it("a", () => { expect(' + "[" * 20_000 + "]" * 20_000 + ").toBe(1); });"),
        ("a_test.go", "package a\n\nfunc TestA(t *testing.T) {" + "{" * 5_000 + "}" * 5_000 + "}\n"),
        ("ATest.java", "class ATest { @Test void a() {" + "{" * 5_000 + "}" * 5_000 + "} }"),
        ("test_a.py", "def test_a():\n    assert " + "(" * 150 + "1" + ")" * 150 + "\n"),
        ("test_a.py", "def test_a():\n    x = " + "-" * 50_000 + "1\n"),
        ("a.test.js", "it('a', () => {});\n" * 20_000),
        ("a.test.js", "[" + "[[1]]," * 50_000 + "];\nit('a', () => {});\n"),
    ],
)
def test_files_that_are_made_to_exhaust_a_reader_end(path: str, text: str) -> None:
    fact = fact_of(path, "test", "modified", text.encode(), b"")
    assert not fact.readable or fact.deleted
