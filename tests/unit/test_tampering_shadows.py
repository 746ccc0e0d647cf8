"""Edits that change what the old steps of a test mean without touching one of them, and new things that change nothing."""

from __future__ import annotations

import pytest

from tests.unit.test_tampering_readers import GO, JAVA, JS, PYTHON, Found, lost, only
from workers.agents.runners.units import fact_of
from workers.agents.runners.units_python import fixtures_of

ADD = "    total = add(1, 2)\n"


@pytest.mark.parametrize(
    "step",
    [
        "assert setattr(calc, 'add', lambda a, b: 3) is None",
        "assert (total := 3)",
        "assert (fresh := 3)",
        "assert [0 for calc.add in [f]]",
        "assert [0 for calc['add'] in [f]]",
        "assert f.__dict__.update(add=f) is None",
        "assert getattr(calc, '__setattr__')('add', f) is None",
        "assert getattr(calc, '__set' + 'attr__')('add', f) is None",
        "assert list(map(getattr, [calc], ['x']))",
        "assert monkeypatch.setenv('A', '1') is None",
        "self.assertIsNone(object.__setattr__(calc, 'add', f))",
        "_ = calc.__dict__.__setitem__('add', f)",
        "_ = [0 for calc.add in [f]]",
        "_ = vars(calc).pop('add')",
        "_ = sys.modules.pop('calc')",
        "_ = Mock()",
        "with pytest.raises(ValueError) as calc.add:\n        add(None, 1)",
        "with pytest.raises(setattr(calc, 'add', f) or ValueError):\n        add(None, 1)",
    ],
)
def test_a_python_step_that_asserts_and_does_more_is_told(step: str) -> None:
    assert lost("test_a.py", PYTHON, ADD, f"    {step}\n{ADD}") == only("weakened", "test_one")


@pytest.mark.parametrize(
    "step",
    [
        "assert near(3, 3, tolerance=0.1)",
        "assert getattr(add, 'name', 1) == 1",
        "assert all(one for one in (1, 2))",
        "more = [one.value for one in (add, near)]\n    assert more",
        "with pytest.raises(ValueError) as caught:\n        assert add(None, 1)",
        "with self.assertRaises(ValueError):\n        assert add(None, 1)",
    ],
)
def test_a_python_step_that_only_looks_needs_no_word(step: str) -> None:
    assert lost("test_a.py", PYTHON, ADD, f"    {step}\n{ADD}") == {}


@pytest.mark.parametrize(
    "helper",
    ["def neuter():\n    calc.add = f\n", "from fakes import neuter\n", "neuter = install\n", "def test_neuter():\n    calc.add = f\n"],
)  # fmt: skip
def test_a_helper_that_the_old_file_did_not_have_may_do_anything(helper: str) -> None:
    called = "test_neuter" if "test_neuter" in helper else "neuter"
    before = PYTHON.replace(ADD, f"    assert {called}() is None\n{ADD}")
    old = PYTHON.encode()
    told = fact_of("test_a.py", "test", "modified", old, before.replace("LIMIT = 3\n", f"LIMIT = 3\n{helper}").encode())
    assert told.weakened == ("test_one",)
    method = PYTHON.replace(
        "        self.assertEqual(", "        self.assertTrue(self.neuter())\n        self.assertEqual("
    )
    method = method.replace("    def setUp", "    def neuter(self):\n        return patch()\n\n    def setUp")
    assert fact_of("test_a.py", "test", "modified", old, method.encode()).weakened == ("TestGroup::test_in_class",)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("    def setUp", "    def assertEqual(self, *a):\n        pass\n\n    def setUp", only("weakened", "TestGroup::assertEqual")),
        ("    def setUp", "    assertEqual = print\n\n    def setUp", only("weakened", "TestGroup::assertEqual")),
        ("    def setUp", "    def run_all(self):\n        pass\n\n    def setUp", {}),
        ("    def setUp", "    def list(self):\n        pass\n\n    def setUp", {}),
        # Another object's attribute of that name is none of the module's.
        ("LIMIT = 3", "LIMIT = 3\n\n\ndef parametrize():\n    return 1", {}),
        ("class TestGroup", "class More(unittest.TestCase):\n    def assertEqual(self, *a):\n        pass\n\n\nclass TestGroup", {}),
    ],
)  # fmt: skip
def test_names_that_shadow_in_a_python_class(old: str, new: str, found: Found) -> None:
    assert lost("test_a.py", PYTHON, old, new) == found


TOTAL = "    const total"
ADDS = only("weakened", "group > adds")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (TOTAL, f"    assert.deepStrictEqual = () => {{}};\n{TOTAL}", ADDS),
        (TOTAL, f"    expect.extend({{ toBe() {{ return ok; }} }});\n{TOTAL}", ADDS),
        (TOTAL, f"    assert(Object.assign(calc, {{ add: f }}));\n{TOTAL}", ADDS),
        (TOTAL, f"    assert(delete calc.add);\n{TOTAL}", ADDS),
        (TOTAL, f"    assert(Object['as' + 'sign'](calc, {{ add: f }}));\n{TOTAL}", ADDS),
        (TOTAL, f"    const _ = (calc.add = f);\n{TOTAL}", ADDS),
        (TOTAL, f"    const {{ expect }} = other;\n{TOTAL}", ADDS),
        (TOTAL, f"    expect(add(0, 0)).toBe(0);\n{TOTAL}", {}),
        (TOTAL, f"    const {{ size }} = rows;\n    expect(size).toBe(0);\n{TOTAL}", {}),
        ("total.should.equal(3);", "total.should.equal(3);\n    function expect() { return { toBe() {} }; }", ADDS),
        ("total.should.equal(3);", "total.should.equal(3);\n    function later() { return 1; }", {}),
        ('it("adds"', 'function neuter() { calc.add = f; }\n  it("adds"', {}),
        # Names of the group
        ('it("adds"', 'const expect = () => ({ toBe() {} });\n  it("adds"', only("weakened", "group > expect")),
        ('it("adds"', 'function add() { return 3; }\n  it("adds"', only("weakened", "group > add")),
        ('it("adds"', 'const more = 3;\n  it("adds"', {}),
        # How the callback runs
        ("async () => {", "() => {", ADDS),
        ("async () => {", "async function* () {", ADDS),
        ("async () => {", "async (t, expect = fake) => {", ADDS),
        ("async () => {", "async function () {", {}),
        ('describe("group", () => {', 'describe("group", (expect = fake) => {', only("weakened", "group > adds", "group > each %i")),
        # A group that is new
        ('describe("group"', 'describe("new", () => {\n  beforeEach(() => { start(); });\n  it("x", () => { expect(1).toBe(f()); });\n});\ndescribe("group"', {}),
        ('it("adds"', 'describe("new", () => { afterAll(() => { stop(); }); });\n  it("adds"', {}),
        ('describe("group"', 'describe("new", () => { calc.add = f; });\ndescribe("group"', only("weakened", "(outside of its tests)")),
        ("const rows", 'describe("", () => { const x = 1; });\nfunction expect() { return { toBe() {} }; }\nconst rows', only("weakened", "expect")),
        ('describe("group"', 'beforeEach(() => { start(); });\ndescribe("group"', only("weakened", "(outside of its tests)")),
        ('it("adds"', 'afterEach(() => { start(); });\n  it("adds"', only("weakened", "(outside of its tests)")),
        ("reset();", "", only("weakened", "(outside of its tests)")),
    ],
)  # fmt: skip
def test_what_javascript_steps_may_come_to_mean(old: str, new: str, found: Found) -> None:
    assert lost("a.test.js", JS, old, new) == found


def test_a_new_javascript_helper_may_do_anything() -> None:
    changed = JS.replace("const rows", "function neuter() { calc.add = f; return 1; }\nconst rows")
    changed = changed.replace(TOTAL, f"    expect(neuter()).toBe(1);\n{TOTAL}")
    assert fact_of("a.test.js", "test", "modified", JS.encode(), changed.encode()).weakened == ("group > adds",)


@pytest.mark.parametrize("text", ["expect.extend({ toBe() {} });", "assert.ok = () => {};", "chai.use(plugin);"])
def test_what_prepares_assertions_is_none(text: str) -> None:
    assert fact_of("a.test.js", "test", "added", None, f'it("a", () => {{ {text} }});\n'.encode()).hollow == ("a",)


GOT = "\tgot := f()\n"
HELPER = "func neuter(t *testing.T) { add = func(a, b int) int { return 3 } }\n\nfunc TestTable"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (GOT, f"\tneuter(t)\n{GOT}", only("weakened", "TestA")),
        (GOT, f"\tassert.Equal(t, 1, func() int {{ f = g; return 1 }}())\n{GOT}", only("weakened", "TestA")),
        (GOT, f"\tassert.Equal(t, 1, g(1))\n{GOT}", {}),
        (GOT, f"\tmore := g(1)\n\tassert.Equal(t, 1, more)\n{GOT}", {}),
        ("func TestTable", "func (s *Suite) Equal(a, b int) {}\n\nfunc TestTable", only("weakened", "Suite.Equal")),
        ("func TestTable", "func (s *Suite) Other(a, b int) {}\n\nfunc TestTable", {}),
        ("func TestTable", HELPER, {}),
    ],
)
def test_what_go_steps_may_come_to_mean(old: str, new: str, found: Found) -> None:
    assert lost("a_test.go", GO, old, new) == found


def test_a_new_go_helper_may_do_anything() -> None:
    changed = GO.replace("func TestTable", HELPER).replace(GOT, f"\tneuter(t)\n{GOT}")
    assert fact_of("a_test.go", "test", "modified", GO.encode(), changed.encode()).weakened == ("TestA",)
    # Nor does it become harmless by a name that the test gives it.
    again = changed.replace("\tneuter(t)\n", "\tneuter := neuter\n\tneuter(t)\n")
    assert fact_of("a_test.go", "test", "modified", GO.encode(), again.encode()).weakened == ("TestA",)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("    int total", "    assertEquals(3, Fake.install());\n    int total", only("weakened", "ATest.adds")),
        ("    int total", "    assertEquals(3, value = 3);\n    int total", only("weakened", "ATest.adds")),
        ("    int total", "    assertThat(add(0, 0)).isEqualTo(0).isNotNegative();\n    int total", {}),
        ("  @Test\n  void adds", "  void assertEquals(int a, int b) { }\n\n  @Test\n  void adds", only("weakened", "ATest.assertEquals")),
    ],
)  # fmt: skip
def test_what_java_steps_may_come_to_mean(old: str, new: str, found: Found) -> None:
    assert lost("src/test/java/ATest.java", JAVA, old, new) == found


FIXTURE = "LIMIT = 3\n\n\n@pytest.fixture{}\ndef {}(monkeypatch):\n    return 1"


@pytest.mark.parametrize(
    ("name", "called", "weakened"),
    [
        ("", "client2", ()),
        ("", "client", ("client",)),
        ("", "database", ("database",)),
        ("", "tmp_path", ("tmp_path",)),
        ("(name='database')", "mine", ("database",)),
        ("(name=NAME)", "mine", ("request",)),
        ("(name='other')", "mine", ()),
        ("(autouse=True)", "mine", ("mine",)),
    ],
)
def test_a_new_fixture_weakens_only_where_it_replaces_one(name: str, called: str, weakened: tuple[str, ...]) -> None:
    changed = PYTHON.replace("LIMIT = 3", FIXTURE.format(name, called), 1).encode()
    known = fixtures_of(b"import pytest\n\n\n@pytest.fixture\ndef database():\n    return 1\n")
    assert known == {"pytest", "database"}
    assert fact_of("test_a.py", "test", "modified", PYTHON.encode(), changed, known).weakened == weakened
    # Where nobody told which fixtures there are, any may be replaced.
    assert fact_of("test_a.py", "test", "modified", PYTHON.encode(), changed).weakened != ()
