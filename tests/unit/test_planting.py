"""What runs (b) and (c) do to a copy: base's tests put back whatever stands in their way, failures that nothing constant marks."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import unittest
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain.work import Change, FileDiff
from workers.agents.runners.failures import Failures, endings, name_from
from workers.agents.runners.planting import Planted, plant
from workers.agents.runners.runner_files import Surroundings
from workers.agents.runners.trees import root_of
from workers.agents.verifying import Changes

SEEDS = range(200)
CALC = b"def add(left, right):\n    return left + right\n"
TREE = {
    "calc.py": CALC.decode(),
    "tests/test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\ndef test_more():\n    assert add(0, 1) == 1\n",
    "tests/test_unit.py": "import unittest\n\n\nclass TestIt(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(1, 1)\n",
    "web/calc.test.js": 'const { test } = require("node:test");\ntest("adds", () => {});\n',
    "m/go.mod": "module example.com/m\n\ngo 1.22\n",
    "m/a_test.go": "package m\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal()\n\t}\n}\n\nfunc TestNone(_ *testing.T) {}\n",
    "m/in/b_test.go": "package in\n\nfunc TestAdd(tt *testing.T) {}\n\nfunc TestMain(m *testing.M) { m.Run() }\n",
}
PASSED = ["tests/test_calc.py::test_add", "tests/test_calc.py::test_more", "tests.test_unit.TestIt.test_it", "adds"]
GO = ["example.com/m/TestAdd", "example.com/m/TestNone", "example.com/m/TestAdd/case", "example.com/other/TestAdd"]


def drawn(seed: int) -> Failures:
    return Failures.of(Random(seed), CALC)


def planted_in(root: Path, seed: str, turn: Sequence[str] = (*PASSED, *GO)) -> tuple[Planted, dict[str, str]]:
    """What was planted, with the text of each file that it is in."""
    for path, text in TREE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    chance = Random(seed)
    made = plant(
        root, PASSED, sorted(TREE), name_from(chance), kinds={"pytest", "node", "go"}, chance=chance, turn=turn
    )
    assert made is not None
    files = {str(one.relative_to(root)): one.read_text() for one in root.rglob("*") if one.is_file()}
    return made, {path: text for path, text in files.items() if TREE.get(path) != text}


def test_python_s_failures_are_compiled_without_a_warning_and_fail() -> None:
    kinds = set()
    for seed in SEEDS:
        failures = drawn(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            asserted, other = (compile(text, "t", "exec") for text in (failures.assertion(), failures.python()))
        with pytest.raises(AssertionError):
            exec(asserted, {})  # drawn here
        with pytest.raises(
            (AssertionError, LookupError, TypeError, ValueError, RuntimeError, AttributeError)
        ) as caught:
            exec(other, {})
        kinds.add(caught.type)
    assert len(kinds) > 4
    assert AssertionError in kinds


def test_unittest_s_failures_fail_by_each_of_its_assertions() -> None:
    case = unittest.TestCase()
    for seed in SEEDS:
        calls = drawn(seed).unittest()
        assert len({call.partition("(")[0] for call in calls}) == len(calls) == 6
        for call in calls:
            with pytest.raises(AssertionError):
                exec(call, {"self": case})  # drawn here


def test_javascript_s_failures_throw() -> None:
    own = [CALC, b"true null false"]
    made = [Failures(Random(seed), Failures.of(Random(seed), own[seed % 2]).words[:3]) for seed in range(120)]
    statements = [text for one in made for text in (one.javascript(), *one.node("assert"))]
    script = (
        'const assert = require("node:assert");\nlet calm = [];\n'
        f"for (const text of {json.dumps(statements)}) {{\n"
        '  try { new Function("assert", text)(assert); calm.push(text); }\n'
        '  catch (error) { if (error instanceof SyntaxError && !/JSON|SyntaxError/.test(text)) calm.push("syntax " + text); }\n'
        "}\nconsole.log(JSON.stringify(calm));\n"
    )
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_go_s_failures_are_statements() -> None:
    for seed in SEEDS:
        source = f"package a\n\nfunc TestA(t *testing.T) {{ {drawn(seed).go('t')}; }}\n"
        assert root_of(source.encode(), "go") is not None, source
        assert re.search(r"\bt\.(?:Fatalf?|Errorf?|FailNow)\(", source)


def test_nothing_constant_marks_a_failure_or_a_name() -> None:
    """No statement comes often, and words of the code under test come among what they say."""
    for draw in (Failures.assertion, Failures.python, Failures.javascript):
        found = [draw(drawn(seed)) for seed in SEEDS]
        assert max(Counter(found).values()) <= 10  # of 200
        assert any(word in text for text in found for word in ("left", "right", "add"))
    names = [name_from(Random(seed)) for seed in SEEDS]
    assert len(set(names)) == len(names)
    assert len({len(name) for name in names}) > 2
    assert all(one not in two for one, two in pairwise(sorted(endings(Random(1), 20))))


def test_each_copy_gets_the_same_and_each_verification_another(tmp_path: Path) -> None:
    first, files = planted_in(tmp_path / "a", "seed")
    again, same = planted_in(tmp_path / "b", "seed")
    other, others = planted_in(tmp_path / "c", "another")
    assert (first, files) == (again, same)
    assert not set(first.names) & set(other.names)
    added = {line for path, text in files.items() for line in text.splitlines() if line not in TREE.get(path, "")}
    more = {line for path, text in others.items() for line in text.splitlines() if line not in TREE.get(path, "")}
    assert {line.strip() for line in added & more} <= {
        "",
        "package m",
        "package in",
        'import "testing"',
        "}",
        "t.FailNow()",
    }
    # One failure at each place is an assertion's: to let those alone through is seen.
    new = next(text for path, text in files.items() if path == f"tests/test_{first.groups[0].names[0]}.py")
    assert re.search(r"assert", new + files["tests/test_calc.py"].replace(TREE["tests/test_calc.py"], ""))


def test_known_tests_are_made_to_fail_in_each_language(tmp_path: Path) -> None:
    made, files = planted_in(tmp_path, "seed")
    turned = frozenset(test for group in made.groups for test in group.turned)
    assert turned == {*PASSED, "example.com/m/TestAdd"}
    assert re.search(r"func TestAdd\(t \*testing\.T\) \{ t\.\w+\(.*\);\n\tif Add", files["m/a_test.go"])
    assert "m/in/b_test.go" not in files  # of another package, though its test has the same name
    assert all(root_of(text.encode(), "go") is not None for path, text in files.items() if path.endswith(".go"))
    # unittest calls only a failed assertion a failure.
    turned_unit = files["tests/test_unit.py"].partition("def test_it(self):\n")[2].splitlines()[0].strip()
    assert turned_unit.startswith(("assert ", "raise AssertionError("))


def test_a_go_test_without_a_module_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a_test.go").write_text("package m\n\nfunc TestAdd(t *testing.T) {\n}\n")
    made = plant(
        tmp_path, [], ["a_test.go"], "qwertyuiopas", kinds={"go"}, chance=Random(1), turn=["m/TestAdd", "m/TestNo"]
    )
    assert made is not None
    assert made.groups[0].turned == {"m/TestAdd"}


@dataclass(frozen=True)
class Trees:
    """Base's files, as `Changes` asks for them."""

    files: dict[str, str]

    def read(self, _tree: str, path: str) -> bytes | None:
        return self.files[path].encode() if path in self.files else None

    def entries(self, _tree: str) -> dict[str, str]:
        return self.files


def _differs(path: str, kind: str, old: str | None, new: str | None) -> FileDiff:
    told = {"path": path, "kind": kind, "old_mode": old, "new_mode": new, "old_blob": None, "new_blob": None}
    return FileDiff.model_validate(told)


def changed(base: dict[str, str], work: dict[str, str]) -> Changes:
    """Work in which every file of ``base`` is gone and those of ``work`` are new; its plan announces nothing."""
    room: Any = SimpleNamespace(desk=SimpleNamespace(trees=Trees(base)), snapshot=SimpleNamespace(base_tree="0"))
    plan: Any = SimpleNamespace(tests=())
    content = {path: base64.b64encode(text.encode()).decode() for path, text in work.items()}
    patch = {path: Change(path=path, mode="100644", content=text) for path, text in content.items()}
    gone = (_differs(path, "deleted", "100644", None) for path in base)
    new = (_differs(path, "added", None, "100644") for path in work)
    return Changes(room, plan, patch, (*gone, *new), Surroundings.of(base, ()))


@pytest.mark.parametrize(
    ("base", "work"),
    [
        ({"t_x/test_a.py": "x = 1\n"}, {"t_x": "y"}),
        ({"a/b/test_a.py": "x = 1\n", "a/b/test_b.py": "x = 2\n"}, {"a": "y"}),
        ({"tests/data": "x"}, {"tests/data/more.py": "y", "tests/data/in/deep.txt": "y"}),
        ({"test_a.py": "x = 1\n"}, {"test_a.py/test_b.py": "y"}),
    ],
)
def test_base_s_tests_are_put_back_whatever_stands_in_their_way(
    tmp_path: Path, base: dict[str, str], work: dict[str, str]
) -> None:
    for path, text in work.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    changed(base, work).put_tests_back(tmp_path)
    assert {path: (tmp_path / path).read_text() for path in base} == base
    assert [one for one in work if (tmp_path / one).is_file()] == []


def test_a_test_file_that_changes_its_runner_is_asked_about_its_tests_as_well() -> None:
    text = "import unittest\nunittest.TestCase.fail = print\n\n\ndef test_it():\n    assert True\n"
    one, two = changed({}, {"tests/test_a.py": text}).test_files()
    assert (one.role, one.kind, one.why) == (
        "configuration",
        "added",
        "changes or reaches into unittest.TestCase.fail",
    )
    assert (two.role, two.kind, two.hollow) == ("test", "added", ("test_it",))


@pytest.mark.parametrize(
    ("name", "conftest", "weakened"),
    [
        ("customer", "import pytest\n\n\n@pytest.fixture\ndef db():\n    return 1\n", ()),
        ("db", "import pytest\n\n\n@pytest.fixture\ndef db():\n    return 1\n", ("db",)),
        ("customer", "pytest_plugins = ['tests.more']\n", ("customer",)),
    ],
)
def test_a_new_fixture_weakens_where_it_may_replace_another(
    name: str, conftest: str, weakened: tuple[str, ...]
) -> None:
    old = "import pytest\n\n\ndef test_a(db):\n    assert db == 1\n"
    new = f"{old}\n\n@pytest.fixture\ndef {name}():\n    return 2\n"
    work = changed({"tests/conftest.py": conftest, "tests/test_b.py": old}, {"tests/test_b.py": new})
    edited = _differs("tests/test_b.py", "modified", "100644", "100644")
    (fact,) = replace(work, diff=(edited,)).test_files()
    assert fact.weakened == weakened
