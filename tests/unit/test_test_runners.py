"""Which tests a command ran: read from reports, from runners' own words, and from syntax trees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from bot.domain.facts import BaseEntry, CommandRun
from tests.unit.test_agents_world import sandbox
from workers.agents.runners.detecting import detected
from workers.agents.runners.outcomes import NO_REPORT, Tests, instrumented, kind_of, lost_plugin, read
from workers.agents.runners.planting import plant
from workers.agents.runners.roles import role_of
from workers.agents.runners.units import fact_of
from workers.sandbox.box import Sandbox

__all__ = ["sandbox"]

MARK = "0123456789abcdef01234567"


def ran(sandbox: Sandbox, root: Path, command: str) -> tuple[int, str, Tests | None]:
    made = instrumented(command, MARK)
    done = sandbox.run_argv(made.argv, tree=root, writable=True)
    printed, tests = read(made, done.output.decode())
    assert not lost_plugin(made, printed)
    return done.exit_code, printed, tests


def lay(root: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


OUTCOMES = {
    "tests/test_a.py": (
        "import pytest\n\n\ndef test_good():\n    pass\n\n\ndef test_bad():\n    assert 0\n\n\n"
        "@pytest.mark.skip\ndef test_skipped():\n    pass\n\n\n@pytest.fixture\ndef broken():\n    raise OSError\n\n\n"
        "def test_broken(broken):\n    pass\n\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_many(n):\n    assert n\n"
    ),
    "tests/test_b.py": "import nowhere_at_all\n",
    "Makefile": "test:\n\tPYTHONPATH=. python -m pytest -q tests/test_a.py\n",
}
SEEN = {
    "tests/test_a.py::test_good": "passed",
    "tests/test_a.py::test_bad": "failed",
    "tests/test_a.py::test_skipped": "skipped",
    "tests/test_a.py::test_broken": "error",
    "tests/test_a.py::test_many[1]": "passed",
    "tests/test_a.py::test_many[2]": "passed",
}


@pytest.mark.parametrize(
    "command",
    [
        "python -m pytest -q tests/test_a.py",
        "pytest tests/test_a.py",
        "PYTHONPATH=src pytest -q tests/test_a.py",
        "cd tests && cd .. && python3 -m pytest tests/test_a.py",
        "python -m pytest -q tests/test_a.py::test_good; python -m pytest -q tests/test_a.py",
    ],
)
def test_pytest_s_outcomes(sandbox: Sandbox, tmp_path: Path, command: str) -> None:
    code, printed, tests = ran(sandbox, lay(tmp_path, OUTCOMES), command)
    assert tests == SEEN
    assert code == 1
    assert MARK not in printed


def test_a_file_that_cannot_be_collected_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    code, _, tests = ran(sandbox, lay(tmp_path, OUTCOMES), "python -m pytest -q")
    assert code == 2
    assert tests is not None
    assert tests["tests/test_b.py"] == "error"


def test_a_session_that_is_cut_off_leaves_errors(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {
        "test_a.py": "import os\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    os._exit(0)\n\n\ndef test_c():\n    pass\n"
    }
    code, _, tests = ran(sandbox, lay(tmp_path, files), "python -m pytest -q")
    assert code == 0
    assert tests == {
        "test_a.py::test_a": "passed",
        "test_a.py::test_b": "error",
        "test_a.py::test_c": "error",
        NO_REPORT: "error",
    }


def test_a_killed_shell_and_a_false_mark_are_no_report(sandbox: Sandbox, tmp_path: Path) -> None:
    files = {
        "test_a.py": "import os, signal\n\n\ndef test_a():\n    os.kill(os.getppid(), signal.SIGKILL)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    }
    _, _, tests = ran(sandbox, lay(tmp_path, files), "python -m pytest -q")
    assert tests == {"test_a.py::test_a": "error", NO_REPORT: "error"} or tests == {NO_REPORT: "error"}


def test_sessions_inside_a_test_report_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    inner = "import subprocess, sys\n\n\ndef test_a(tmp_path):\n    (tmp_path / 'test_in.py').write_text('def test_x(): assert 0')\n    assert subprocess.run([sys.executable, '-m', 'pytest', str(tmp_path)]).returncode == 1\n"
    _, _, tests = ran(sandbox, lay(tmp_path, {"test_a.py": inner}), "python -m pytest -q")
    assert tests == {"test_a.py::test_a": "passed"}


def test_pytest_behind_make_reports_or_runs_plain(sandbox: Sandbox, tmp_path: Path) -> None:
    made = instrumented("make test", MARK)
    done = sandbox.run_argv(made.argv, tree=lay(tmp_path, OUTCOMES), writable=True)
    printed, tests = read(made, done.output.decode())
    # The makefile sets the path itself, so the plugin is lost: the command is run again as it is.
    assert lost_plugin(made, printed)
    assert tests is None


UNITTEST = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_good(self):\n        pass\n\n    def test_bad(self):\n        self.fail()\n\n    @unittest.skip('no')\n    def test_skipped(self):\n        pass\n\n    def test_told(self):\n        '''A sentence.'''\n"


def test_unittest_s_outcomes(sandbox: Sandbox, tmp_path: Path) -> None:
    code, _, tests = ran(
        sandbox, lay(tmp_path, {"tests/__init__.py": "", "tests/test_a.py": UNITTEST}), "python -m unittest discover"
    )
    assert code == 1
    assert tests == {
        "tests.test_a.T.test_good": "passed",
        "tests.test_a.T.test_bad": "failed",
        "tests.test_a.T.test_skipped": "skipped",
        "tests.test_a.T.test_told": "passed",
    }


@pytest.mark.parametrize(
    ("command", "files", "passed"),
    [
        ("python -m pytest -q", {"tests/test_a.py": "def test_a():\n    pass\n"}, ["tests/test_a.py::test_a"]),
        (
            "python -m pytest -q tests/test_a.py",
            {"tests/test_a.py": "def test_a():\n    pass\n"},
            ["tests/test_a.py::test_a"],
        ),
        (
            "python -m unittest discover -v",
            {"tests/__init__.py": "", "tests/test_a.py": UNITTEST},
            ["tests.test_a.T.test_good"],
        ),
        (
            "python -m unittest tests.test_a",
            {"tests/__init__.py": "", "tests/test_a.py": UNITTEST},
            ["tests.test_a.T.test_good"],
        ),
    ],
)
def test_a_planted_test_is_seen_failing(
    sandbox: Sandbox, tmp_path: Path, command: str, files: dict[str, str], passed: list[str]
) -> None:
    root = lay(tmp_path, files)
    planted = plant(
        root, passed, sorted(files), "qwertyuiopas", kinds={kind_of(command)}, chance=Random(len(command)), turn=passed
    )
    assert planted is not None
    code, _, tests = ran(sandbox, root, command)
    run = CommandRun(command=command, exit_code=code, timed_out=False, seconds=1, output_tail="", tests=tests)
    assert code == 1
    seen = planted.outcomes([run])
    assert set(seen.values()) == {"failed"}
    assert set(passed) < set(seen)
    assert planted.problem([run]) == ""


TAP = """TAP version 13
# Subtest: good
ok 1 - good
  ---
  duration_ms: 1.3
  ...
# Subtest: bad
not ok 2 - bad
  ---
  error: 'x'
  ...
# Subtest: group
    # Subtest: inner
    ok 1 - inner
    # Subtest: left
    ok 2 - left # SKIP
    1..2
ok 3 - group
1..3
# tests 4
"""


def test_node_s_tap_is_read() -> None:
    made = instrumented("node --test test/", MARK)
    assert "node --test --test-reporter=tap test/" in made.argv
    assert read(made, f"{TAP}\n{MARK}\n")[1] == {
        "good": "passed",
        "bad": "failed",
        "group > inner": "passed",
        "group > left": "skipped",
    }
    assert read(made, f"nothing of the kind\n{MARK}\n")[1] is None


def test_a_node_test_is_planted_beside_and_into_a_test_file(tmp_path: Path) -> None:
    files = {"src/a.js": "", "test/a.test.js": "const { test } = require('node:test');\n"}
    root = lay(tmp_path, files)
    planted = plant(root, [], sorted(files), "qwertyuiopas", kinds={"node"}, chance=Random(1))
    assert planted is not None
    new, inner = planted.names
    assert (root / f"test/{new}.test.mjs").read_text().startswith("import { test as ")
    assert f'require("node:test").test("{inner}' in (root / "test/a.test.js").read_text()


def test_go_s_json_is_read() -> None:
    made = instrumented("go test ./...", MARK)
    assert "go test -json ./..." in made.argv
    lines = [
        '{"Action":"run","Package":"m/a","Test":"TestA"}',
        '{"Action":"pass","Package":"m/a","Test":"TestA"}',
        '{"Action":"fail","Package":"m/a","Test":"TestB/case"}',
        '{"Action":"fail","Package":"m/a"}',
    ]
    assert read(made, "\n".join([*lines, MARK, ""]))[1] == {"m/a/TestA": "passed", "m/a/TestB/case": "failed"}


@pytest.mark.parametrize(
    "line",
    [
        *('{"id": "a", "outcome": []}', '{"id": [], "outcome": "passed"}', '{"id": "a", "outcome": {}}'),
        *('{"Test": "T", "Action": []}', '{"Test": ["T"], "Action": "pass"}', '{"Test": "T", "Action": {}}'),
        *('{"a":' * 100_000, "[" * 100_000, '{"started": [], "finished": {}, "collected": 3}', "{", "[]"),
    ],
    ids=range(11),
)
def test_lines_that_no_reporter_writes_say_nothing(line: str) -> None:
    go = '{"Action":"pass","Package":"m","Test":"TestA"}'
    assert read(instrumented("go test ./...", MARK), f"{line}\n{go}\n{MARK}\n")[1] == {"m/TestA": "passed"}
    told = '{"started": 1}\n{"id": "b", "outcome": "passed"}\n{"finished": 1}\n'
    for command in ("python -m pytest", "python -m unittest", "make test"):
        assert read(instrumented(command, MARK), f"\n{MARK}\n{line}\n{told}")[1] == {"b": "passed"}


def test_a_go_test_is_planted_in_its_package(tmp_path: Path) -> None:
    root = lay(tmp_path, {"a/a_test.go": "package a_test\n\nfunc TestA() {}\n"})
    planted = plant(root, [], ["a/a_test.go"], "qwertyuiopas", kinds={"go"}, chance=Random(1))
    assert planted is not None
    (name,) = planted.names
    assert (root / "a" / f"{name.lower()}_test.go").read_text().startswith("package a_test\n")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("pytest", "pytest"),
        ("python3.11 -m pytest -x", "pytest"),
        ("a && (.venv/bin/pytest tests)", "pytest"),
        ("python -m unittest -v", "unittest"),
        ("python -m unittest && echo ok", "other"),
        ("go test ./...", "go"),
        ("node --test", "node"),
        ("node --test 'test/*.test.js' \"more/*.js\"", "node"),
        ("node --test 'test/*.js; exit 0'", "other"),
        ("make test", "other"),
        ("grep pytester x", "other"),
    ],
)
def test_runners_are_told_by_their_command(command: str, kind: str) -> None:
    assert kind_of(command) == kind


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        ({"tests/test_a.py": ""}, ("python -m pytest -q",)),
        ({"a_test.py": ""}, ("python -m pytest -q",)),
        ({"pytest.ini": ""}, ("python -m pytest -q",)),
        ({"pyproject.toml": "[tool.pytest.ini_options]"}, ("python -m pytest -q",)),
        ({"pyproject.toml": "[project]"}, ()),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, ("npm test",)),
        ({"package.json": '{"scripts": {"test": "node --test test/"}}'}, ("node --test test/",)),
        ({"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'}, ()),
        ({"package.json": "[1"}, ()),
        ({"package.json": "[1]"}, ()),
        ({"go.mod": "", "tests/test_a.py": ""}, ("python -m pytest -q", "go test ./...")),
        ({"Cargo.toml": ""}, ("cargo test",)),
        ({"pom.xml": ""}, ("mvn -q test",)),
        ({"build.gradle": "", "gradlew": ""}, ("./gradlew test",)),
        ({"build.gradle.kts": ""}, ("gradle test",)),
        ({"Makefile": "all:\n\ntest: all\n\ttrue\n"}, ("make test",)),
        ({"Makefile": "test := 1\n"}, ()),
        ({"README.md": ""}, ()),
    ],
)
def test_verify_commands_are_detected(files: dict[str, str], commands: tuple[str, ...]) -> None:
    entries = {path: BaseEntry(mode="100644", blob="0" * 40, size=len(text)) for path, text in files.items()}
    assert detected(entries, files.__getitem__) == commands


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("tests/test_a.py", "test"),
        ("src/a_test.go", "test"),
        ("web/a.spec.ts", "test"),
        ("src/test/java/ATest.java", "test"),
        ("tests/data.json", "test"),
        ("conftest.py", "configuration"),
        ("tests/conftest.py", "configuration"),
        ("sub/package.json", "configuration"),
        ("src/contest.py", None),
        ("README.md", None),
    ],
)
def test_roles_of_paths(path: str, role: str | None) -> None:
    assert role_of(path) == role


PYTHON = """
import pytest

class TestA:
    def test_one(self):
        assert f() == 1
        assert g()

@pytest.mark.parametrize("n", [1, 2])
def test_two(n):
    with pytest.raises(ValueError):
        f(n)
"""


def lost(path: str, before: str, after: str) -> dict[str, tuple[str, ...]]:
    fact = fact_of(path, "test", "modified", before.encode(), after.encode())
    assert fact.readable
    found = {name: getattr(fact, name) for name in ("deleted", "skipped", "emptied", "weakened")}
    return {name: tests for name, tests in found.items() if tests}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("import pytest", "import pytest  # same", {}),
        ("        assert g()\n", "        assert g()\n        assert h()\n", {}),
        ("[1, 2]", "[1, 2, 3]", {}),
        ("def test_one", "def one", {"deleted": ("TestA::test_one",)}),
        ("        assert g()\n", "", {"weakened": ("TestA::test_one",)}),
        ("f() == 1", "f() == 2", {"weakened": ("TestA::test_one",)}),
        ("        assert g()\n", "        if False:\n            assert g()\n", {"weakened": ("TestA::test_one",)}),
        ("        assert f() == 1\n        assert g()\n", "        pass\n", {"emptied": ("TestA::test_one",)}),
        ("        assert f() == 1\n        assert g()\n", "        f()\n", {"emptied": ("TestA::test_one",)}),
        ("[1, 2]", "[1]", {"weakened": ("test_two",)}),
        ("ValueError", "Exception", {"emptied": ()}),
        ("        assert f() == 1", "        return\n        assert f() == 1", {"skipped": ("TestA::test_one",)}),
        (
            "        assert f() == 1",
            "        pytest.skip()\n        assert f() == 1",
            {"skipped": ("TestA::test_one",)},
        ),
        ("class TestA", "@pytest.mark.xfail\nclass TestA", {"skipped": ("TestA::test_one",)}),
        (
            "import pytest",
            "import pytest\npytestmark = [pytest.mark.skip]",
            {"skipped": ("TestA::test_one", "test_two")},
        ),
    ],
)
def test_what_python_tests_lose(old: str, new: str, found: dict[str, tuple[str, ...]]) -> None:
    seen = lost("tests/test_a.py", PYTHON, PYTHON.replace(old, new, 1))
    if old == "ValueError":
        # What a with statement expects is an assertion, too.
        assert seen == {"weakened": ("test_two",)}
    else:
        assert seen == found


JS = 'describe("group", () => {\n  it("adds", () => {\n    expect(add(1, 2)).toBe(3);\n    expect(x).toBe(1);\n  });\n});\n'


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("x", "x", {}),
        ("    expect(x)", "    expect( x )", {}),
        ('it("adds"', 'it("adds more"', {"deleted": ("group > adds",)}),
        ("it(", "it.skip(", {"skipped": ("group > adds",)}),
        ("describe(", "describe.skip(", {"skipped": ("group > adds",)}),
        ("toBe(3)", "toBe(4)", {"weakened": ("group > adds",)}),
        ("    expect(x).toBe(1);\n", "    if (no) { expect(x).toBe(1); }\n", {"weakened": ("group > adds",)}),
        (
            "    expect(add(1, 2)).toBe(3);\n    expect(x).toBe(1);\n",
            "    // nothing\n",
            {"emptied": ("group > adds",)},
        ),
    ],
)
@pytest.mark.parametrize("ending", ["js", "ts", "tsx"])
def test_what_javascript_tests_lose(ending: str, old: str, new: str, found: dict[str, tuple[str, ...]]) -> None:
    assert lost(f"a.test.{ending}", JS, JS.replace(old, new, 1)) == found


GO = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {\n\tif f() != 1 {\n\t\tt.Errorf("no")\n\t}\n}\n'


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("func TestA", "func testA", {"deleted": ("TestA",)}),
        ("\tif f", '\tt.Skip("later")\n\tif f', {"skipped": ("TestA",)}),
        ("f() != 1", "f() != 2", {"weakened": ("TestA",)}),
        ('\tif f() != 1 {\n\t\tt.Errorf("no")\n\t}\n', "", {"emptied": ("TestA",)}),
    ],
)
def test_what_go_tests_lose(old: str, new: str, found: dict[str, tuple[str, ...]]) -> None:
    assert lost("a_test.go", GO, GO.replace(old, new, 1)) == found


JAVA = "class ATest {\n  @Test\n  void adds() {\n    assertEquals(3, add(1, 2));\n  }\n}\n"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("  @Test\n", "", {"deleted": ("ATest.adds",)}),
        ("@Test", "@Test @Disabled", {"skipped": ("ATest.adds",)}),
        ("class ATest", "@Ignore class ATest", {"skipped": ("ATest.adds",)}),
        ("assertEquals(3", "assertEquals(4", {"weakened": ("ATest.adds",)}),
        ("    assertEquals(3, add(1, 2));\n", "", {"emptied": ("ATest.adds",)}),
    ],
)
def test_what_java_tests_lose(old: str, new: str, found: dict[str, tuple[str, ...]]) -> None:
    assert lost("ATest.java", JAVA, JAVA.replace(old, new, 1)) == found


def test_files_that_cannot_be_read_say_so() -> None:
    assert not fact_of("spec/a_spec.rb", "test", "modified", b"it 'x'", b"").readable
    assert not fact_of("tests/test_a.py", "test", "modified", b"def test_a(): pass", b"def (").readable
    assert not fact_of("tests/data.json", "test", "deleted", b"{}", None).readable
    assert fact_of("tests/test_a.py", "test", "deleted", b"def test_a(): pass", None).deleted == ("test_a",)
