"""Which changed files are the test runner's, whose tests a runner follows, and what a planted test's run must show."""

from __future__ import annotations

import pytest

from bot.domain.facts import CommandRun, TestFileFact, VerifyRun
from workers.agents.runners.following import follows
from workers.agents.runners.outcomes import NO_REPORT
from workers.agents.runners.planting import Group, Planted
from workers.agents.runners.runner_files import Surroundings, concern_of

BASE = frozenset(
    {
        "calc.py",
        "pkg/__init__.py",
        "pkg/test_here.py",
        "src/app/main.py",
        "queue.py",
        "tests/test_a.py",
        "scripts/check.sh",
    }
)
AROUND = Surroundings.of(
    BASE, ("make test", "python tools/run.py -q", "./gate"), ("test:\n\tsh scripts/check.sh\n\tnode ci/all.js",)
)


def told(path: str, before: str | None, after: str | None) -> tuple[str, str] | None:
    found = concern_of(
        path, None if before is None else before.encode(), None if after is None else after.encode(), AROUND
    )
    return None if found is None else (found.role, found.why)


@pytest.mark.parametrize(
    "path",
    [
        *("conftest.py", "a/b/conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", "tox.ini", "setup.cfg", "setup.py"),
        *(".coveragerc", "sitecustomize.py", "usercustomize.py", "evil.pth", "__pycache__/calc.cpython-311.pyc", "calc.pyc"),
        *("evil-1.dist-info/entry_points.txt", "evil.egg-info/entry_points.txt", "Makefile", "rules.mk", "noxfile.py"),
        *("jest.config.ts", "vitest.config.mts", "vite.config.ts", "jest.setup.js", "babel.config.js", "tsconfig.json", ".npmrc"),
        *("node_modules/jest/index.js", "web/node_modules/x.js", "src/__mocks__/fs.js", "bunfig.toml", "deno.json"),
        *("vendor/github.com/stretchr/testify/assert/a.go", "vendor/modules.txt", "pom.xml", "build.gradle", "testng.xml"),
        *("src/test/resources/junit-platform.properties", "src/main/resources/META-INF/services/org.junit.x", "build.rs"),
        *("spec/spec_helper.rb", ".rspec", ".config/nextest.toml", ".cargo/config.toml", "CMakeLists.txt"),
    ],
)  # fmt: skip
def test_settings_of_runners(path: str) -> None:
    assert told(path, None, "x") == ("configuration", "")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("pytest.py", "is found before the module pytest"),
        ("tests/_pytest/x.py", "is found before the module _pytest"),
        ("deep/er/unittest/__init__.py", "is found before the module unittest"),
        ("json.py", "is found before the standard module json"),
        ("src/json/__init__.py", "is found before the standard module json"),
        ("tests/traceback.py", "is found before the standard module traceback"),
        ("pkg/ast.py", "is found before the standard module ast"),
        ("_json.cpython-311-x86_64-linux-gnu.so", "is found before the standard module _json"),
        ("scripts/check.sh", "is started by what verifies"),
        ("tools/run.py", "is started by what verifies"),
        ("ci/all.js", "is started by what verifies"),
        ("gate", "is started by what verifies"),
    ],
)
def test_files_that_stand_in_for_others_or_are_started(path: str, why: str) -> None:
    assert told(path, None, "x = 1\n") == ("configuration", why)


@pytest.mark.parametrize(
    ("path", "before", "after", "why"),
    [
        ("calc.py", "x = 1\n", "import _pytest.reports\n", "reaches for _pytest.reports"),
        ("calc.py", "x = 1\n", "from unittest import TestCase\n", "reaches for unittest"),
        ("calc.py", "x = 1\n", "import importlib\nimportlib.import_module('pytest')\n", "reaches for pytest"),
        ("calc.py", "x = 1\n", "import sys\nsys.modules['a']\n", "reaches for sys.modules"),
        ("calc.py", "x = 1\n", "import os\nos._exit(0)\n", "reaches for os._exit"),
        ("calc.py", "x = 1\n", "from os import _exit as leave\n", "reaches for os._exit"),
        ("calc.py", "x = 1\n", "import os\nos.getenv('PYTEST_CURRENT_TEST')\n", "reaches for PYTEST_CURRENT_TEST"),
        ("calc.py", None, "import gc\ngc.get_objects()\n", "reaches for gc.get_objects"),
        ("calc.py", "x = 1\n", "import pytest (\n", "reaches for pytest"),
        ("calc.py", "x = 1\n", "type A[T: int = str] = T\nimport sys as s\ns.modules['_py' + 'test']\n", "reaches for modules"),
        ("calc.py", "x = 1\n", "import sys\na" + ".b" * 5000 + "\n", "reaches for what is nested too deeply to be read"),
        ("calc.py", None, "import inspect\ninspect.currentframe()\n", "reaches for inspect.currentframe"),
        ("calc.py", None, "from inspect import stack as s\ns()\n", "reaches for inspect.stack"),
        ("calc.py", None, "import sys as s\ns._getframe().f_back\n", "reaches for f_back, sys._getframe"),
        ("calc.py", None, "from sys import modules as m\nm['a']\n", "reaches for sys.modules"),
        ("calc.py", None, "s = __import__('sys')\nt = s\nt.modules\n", "reaches for sys.modules"),
        ("calc.py", None, "import importlib\nimportlib.import_module('s' + 'ys').modules\n", "reaches for sys.modules"),
        ("calc.py", None, "import sys\ngetattr(sys, 'mod' + 'ules')\n", "reaches for sys.modules"),
        ("calc.py", None, "import sys\ngetattr(sys, 'seludom'[::-1])\n", "reaches for sys by computed names"),
        ("calc.py", None, "import sys\nvars(sys)['modules']\n", "reaches for sys.__dict__"),
        ("calc.py", None, "from sys import *\nmodules['a']\n", "reaches for sys.*"),
        ("calc.py", None, "import sys\n__name__ = '_py' + 'test.python'\nsys.modules[__name__]\n", "reaches for _pytest.python, sys.modules"),
        ("calc.py", None, "import sys\nme = sys.modules[__name__]\nme.sys.modules\n", "reaches for sys.modules"),
        ("calc.py", None, "import importlib\nfor one in ['pytest']:\n    importlib.import_module(one)\n", "reaches for pytest"),
        ("calc.py", None, "import os\npid = os.fork()\nif pid:\n    os._exit(0)\n", "reaches for os._exit"),
        ("calc.py", None, "import os\npid = os.fork()\npid = 0\nif pid == 0:\n    os._exit(0)\n", "reaches for os._exit"),
        ("calc.py", None, "import os\nos.fork = lambda: 0\nif os.fork() == 0:\n    os._exit(0)\n", "reaches for os._exit"),
        ("src/a.js", "", "process.on('exit', () => process.exit(0));\n", "reaches for process.on('exit'"),
        ("src/a.js", "", "process.once('exit', end);\nfunction end() { process.exitCode = 0; }\n", "reaches for process.once('exit'"),
        ("src/a.js", "", "const end = () => process.reallyExit(0);\n", "reaches for process.reallyExit"),
        ("a/a.go", "", 'package a\n\nfunc init() { os.Args = append(os.Args, "-test.skip=TestA") }\n', "reaches for -test.skip, append(os.Args, os.Args ="),
        ("a/a.go", "", 'package a\n\nfunc init() { flag.Set("test.run", "x") }\n', "reaches for test.run"),
        ("a/a.go", "", "package a\n\nfunc init() { os.Args[1] = name }\n", "reaches for os.Args[1] ="),
        ("a/a.go", "", 'package a\n\nimport o "os"\n\nfunc init() { o.Args = nil }\n', 'reaches for import o "os'),
        ("a/a.go", "", "package a\n\nfunc init() { flag.Set(name(), x) }\n", "reaches for flag.Set(n"),
        ("src/a.ts", "", 'import { it } from "vitest";\n', "reaches for vitest"),
        ("src/a.js", "", "if (process.env.JEST_WORKER_ID) {}\n", "reaches for JEST_WORKER_ID"),
        ("src/a.js", "", "globalThis.expect = () => {};\n", "reaches for globalThis.expect"),
        ("a/a.go", "package a\n", 'package a\n\nimport "testing"\n', "reaches for testing"),
        ("src/main/java/A.java", "", "import org.junit.jupiter.api.Assertions;\n", "reaches for org.junit"),
    ],
)  # fmt: skip
def test_code_that_reaches_for_its_runner(path: str, before: str | None, after: str, why: str) -> None:
    assert told(path, before, after) == ("configuration", why)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("calc.py", "x = 1\n", "import os\nimport sys\nprint(os.environ, sys.argv, 'a unittest of it')\n"),
        ("calc.py", "x = 1\n", "import sys\nMODULE = sys.modules[__name__]\nsys.modules.get(__name__)\n"),
        ("calc.py", "x = 1\n", "TOOLS = ['pytest', 'unittest', 'ruff']\n"),
        ("calc.py", "x = 1\n", "import os\n\n\ndef go(work):\n    pid = os.fork()\n    if pid == 0:\n        try:\n            work()\n        finally:\n            os._exit(0)\n    return pid\n"),
        ("calc.py", "x = 1\n", "import os\nif not (pid := os.fork()):\n    os._exit(3)\nif os.fork() == 0:\n    os._exit(1)\n"),
        ("src/a.js", "", "process.on('exit', () => console.log('bye'));\nprocess.once('exit', close);\n"),
        ("src/a.go", "", 'package a\n\nimport "os"\n\nfunc F(s string) []string {\n\tswitch s {\n\tcase "os":\n\t\treturn os.Args[1:]\n\t}\n\tif os.Args[1] == "x" {\n\t\tlatest.Run("a", test.Name)\n\t}\n\treturn nil\n}\n'),
        ("calc.py", "import pytest\n", "import pytest\nx = 2\n"),
        ("calc.py", "import pytest\n", None),
        ("queue.py", "x = 1\n", "x = 2\n"),
        ("queue/more.py", None, "x = 1\n"),
        ("src/app/json.py", None, "x = 1\n"),
        ("app/logging/handlers.py", None, "x = 1\n"),
        ("scripts/other.sh", None, "true\n"),
        ("README.md", "a", "pytest"),
        ("src/a.go", "package a\n", "package a\n\nfunc F() {}\n"),
        ("pyproject.toml", '[project]\nname = "a"\ndescription = "x"\n', '[project]\nname = "a"\ndescription = "y"\ndependencies = ["b"]\n'),
        ("pyproject.toml", "[tool.ruff]\nline-length = 80\n", "[tool.ruff]\nline-length = 90\n"),
        ("package.json", '{"name": "a", "version": "1"}', '{"name": "a", "version": "2", "dependencies": {"b": "1"}}'),
        ("Cargo.toml", '[package]\nversion = "1"\n', '[package]\nversion = "2"\n\n[dependencies]\na = "1"\n'),
        ("go.mod", "module a\n\nrequire b v1\n", "module a\n\nrequire b v2\n"),
    ],
)  # fmt: skip
def test_changes_that_are_no_runner_s(path: str, before: str | None, after: str | None) -> None:
    assert told(path, before, after) is None


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("pyproject.toml", "", "[tool.pytest.ini_options]\naddopts = '-k no'\n"),
        ("pyproject.toml", "", "[tool.coverage.run]\nbranch = false\n"),
        ("pyproject.toml", "", "[project.entry-points.pytest11]\na = 'b'\n"),
        ("pyproject.toml", "x = 1\n", "x = [\n"),
        ("pyproject.toml", "", "tool = 3\n"),
        ("pyproject.toml", "x = 1\n", None),
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}'),
        ("package.json", "{}", '{"jest": {"testPathIgnorePatterns": ["a"]}}'),
        ("package.json", "{}", "[]"),
        ("Cargo.toml", "", "[[test]]\nname = 'a'\nharness = false\n"),
        ("Cargo.toml", "", "[package]\nautotests = false\n"),
        ("go.mod", "module a\n", "module a\n\nreplace b => ./fake\n"),
        ("go.mod", "module a\n", "module a\n\nreplace (\n\tb => ./fake\n)\n"),
    ],
)
def test_the_part_of_shared_settings_that_runners_read(path: str, before: str, after: str | None) -> None:
    assert told(path, before, after) == ("configuration", "")


RUST = """pub fn add(a: i32, b: i32) -> i32 { a + b } // }

#[cfg(test)]
mod tests {
    use super::*;
    const OPEN: char = '{';

    #[test]
    fn adds() {
        assert_eq!(add(1, 2), 3, "a brace }} in a string");
    }

    #[tokio::test]
    async fn waits<'a>() { assert!(add(0, 0) == 0); }
}
"""


@pytest.mark.parametrize(
    ("old", "new", "test"),
    [
        ("a + b", "b + a", False),
        ("    #[test]\n", "    #[test]\n    fn more() { assert_eq!(add(0, 1), 1); }\n\n    #[test]\n", False),
        ("add(1, 2), 3", "add( 1,2 ), 3", False),
        ("add(1, 2), 3", "add(1, 2), 4", True),
        ("    #[test]\n", "", True),
        ("    #[test]\n", "    #[test]\n    #[ignore]\n", True),
        ("#[cfg(test)]", "#[cfg(all(test, never))]", True),
        ("use super::*;", "fn add(_: i32, _: i32) -> i32 { 3 }", True),
        ("'{'", "'}'", True),
        ("assert!(add(0, 0) == 0);", "", True),
        ("pub fn", "#![cfg(never)]\npub fn", True),
    ],
)
def test_tests_inside_rust_sources(old: str, new: str, test: bool) -> None:
    assert old in RUST
    assert told("src/lib.rs", RUST, RUST.replace(old, new, 1)) == (("test", "") if test else None)
    assert told("src/lib.rs", RUST, None) == ("test", "")
    assert told("src/lib.rs", "fn f() {}\n", "fn f() { g() }\n") is None


@pytest.mark.parametrize(
    "after",
    [
        "import pytest\n",
        "import sys\nsys.path.insert(0, 'src')\nsys.modules['calc']\nsys.modules.pop('app', None)\n",
        "import calc\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(calc, 'add', None)\n    calc.mode = 2\n",
        "import unittest\n\n\nclass TestIt(unittest.TestCase):\n    maxDiff = None\n\n    def setUp(self):\n        self.a = 1\n\n\nTestIt.extra = 3\nunittest.TestCase.maxDiff = None\n",
        "import os\nfrom unittest import mock\nos.environ['A'] = 'b'\nx = mock.Mock()\nx.y = 2\n",
        "import broken (\n",
    ],
)
def test_test_files_stay_tests_whatever_they_import(after: str) -> None:
    assert told("tests/test_a.py", "x = 1\n", after) == ("test", "")
    assert told("tests/test_b.py", None, after) == ("test", "")


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n", "unittest.TestCase.assertEqual"),
        ("from unittest import TestCase as T\n\n\ndef f():\n    T.assertEqual = None\n", "unittest.TestCase.assertEqual"),
        ("import unittest\nT = unittest.TestCase\nsetattr(T, 'fail', print)\n", "unittest.TestCase.fail"),
        ("import pytest\n\n\nclass A:\n    pytest.fail = print\n", "pytest.fail"),
        ("import calc\ntry:\n    calc.add, x = max, 1\nfinally:\n    pass\n", "calc.add"),
        ("from calc import Sum\ndel Sum.check\n", "calc.Sum.check"),
        ("import calc\nvars(calc)['add'] = max\n", "calc.__dict__"),
        ("from unittest.mock import patch\npatch('calc.add', max).start()\n", "a patch while it is imported"),
        ("import pytest\npytest.MonkeyPatch().setattr('calc.add', max)\n", "setattr while it is imported"),
        ("import _pytest.runner as r\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(r, 'a', 1)\n", "_pytest.runner"),
        ("def test_it(monkeypatch):\n    monkeypatch.setattr('_py' 'test.runner.x', 1)\n", "_pytest.runner.x"),
        ("from pluggy import HookimplMarker\n", "pluggy"),
        ("import sys as s\ns.modules['unittest.case']\n", "sys.modules[unittest.case]"),
        ("from sys import modules\nmodules.get('_py' + 'test')\n", "_pytest"),
        ("pytest_plugins = ['calc']\n", "pytest_plugins"),
        ("import _pytest (\n", "_pytest"),
        ("import a\na" + ".b" * 5000 + " = 1\n", "what is nested too deeply to be read"),
    ],
)  # fmt: skip
def test_test_files_that_change_their_runner_are_its_configuration_too(after: str, why: str) -> None:
    for path, before in (("tests/test_a.py", "x = 1\n"), ("tests/test_new.py", None), ("tests/tool.py", None)):
        found = concern_of(path, None if before is None else before.encode(), after.encode(), AROUND)
        assert found is not None
        assert found.role == "configuration"
        assert found.tests
        assert found.why.startswith("changes or reaches into ")
        assert why in found.why
    assert told("tests/test_a.py", after, after + "x = 3\n") == ("test", "")
    assert told("tests/test_a.py", after, None) == ("test", "")


def test_a_new_main_of_go_s_tests_is_configuration() -> None:
    test, main = "package a\n", "package a\n\nfunc TestMain(m *testing.M) { os.Exit(0) }\n"
    for before in (None, test):
        assert told("a/a_test.go", before, main) == ("configuration", "runs its package's tests by a TestMain")
    assert told("a/a_test.go", main, main + "\n") == ("test", "")
    assert told("a/a_test.go", None, test) == ("test", "")


def _run(command: str, tests: dict[str, str] | None, exit_code: int = 0) -> CommandRun:
    return CommandRun.model_validate(
        {
            "command": command,
            "exit_code": exit_code,
            "timed_out": False,
            "seconds": 1.0,
            "output_tail": "",
            "tests": tests,
        }
    )


@pytest.mark.parametrize(
    ("commands", "followed"),
    [
        ({"python -m pytest": True, "npm test": False}, {"tests/test_a.py", "tests/data.json"}),
        ({"go test ./...": True, "python -m pytest": False}, {"a/a_test.go", "tests/data.json"}),
        ({"node --test": True}, {"web/a.test.ts", "tests/data.json"}),
        ({"make test": True}, {"tests/test_a.py", "tests/data.json"}),
        ({"cargo test": False}, set()),
    ],
)
def test_each_file_is_followed_by_its_own_language_s_runner(commands: dict[str, bool], followed: set[str]) -> None:
    paths = ("tests/test_a.py", "web/a.test.ts", "a/a_test.go", "src/test/java/ATest.java", "tests/data.json")
    files = [TestFileFact(path=path, role="test", kind="modified") for path in paths]
    runs = VerifyRun(runs=tuple(_run(command, {"a": "passed"} if read else None) for command, read in commands.items()))
    assert {one.path for one in follows(files, runs) if one.followed} == followed


PLANTED = Planted(
    (Group("tests/test_a.py", ("qqa_new", "qqa_in"), frozenset({"tests/test_a.py::test_a"})), Group("", ("qqn",)))
)
HONEST = {"tests/test_qqa_new.py::test_qqa_new": "failed", "tests/test_a.py::test_a": "failed", "qqn": "failed"}


@pytest.mark.parametrize(
    ("tests", "exit_code", "says"),
    [
        (HONEST, 1, ""),
        ({**HONEST, "tests/test_a.py::test_other": "passed"}, 1, ""),
        # A command that stops at the first failure leaves the others without an end.
        ({**HONEST, "tests/test_a.py::test_a": "error"}, 1, ""),
        ({"tests/test_a.py::test_a": "failed", "qqn": "failed"}, 1, ""),
        ({**HONEST, "tests/test_a.py::test_a": "passed"}, 1, "test_a fails and was reported as passed"),
        ({**HONEST, "qqn": "skipped"}, 1, "qqn fails and was reported as skipped"),
        ({"qqn": "failed"}, 1, "qqa_new was not reported"),
        ({"tests/test_a.py::test_a": "failed"}, 1, "qqn was not reported"),
        (dict.fromkeys(HONEST, "error"), 1, "was not reported as failed"),
        ({**HONEST, NO_REPORT: "error"}, 1, "ended without its runner's word"),
        (HONEST, 0, "answered 0 although a planted test failed"),
        ({}, 1, "qqa_new was not reported"),
    ],
)  # fmt: skip
def test_what_planted_tests_must_show(tests: dict[str, str], exit_code: int, says: str) -> None:
    found = PLANTED.problem([_run("python -m pytest", tests, exit_code)])
    assert (says in found) if says else found == ""


def test_places_where_only_known_names_are_run_are_told() -> None:
    assert PLANTED.unseen([_run("pytest", HONEST, 1)]) == frozenset()
    assert PLANTED.unseen([_run("pytest", {"tests/test_a.py::test_a": "failed"}, 1)]) == {"tests/test_a.py"}
    # Each run counts: a test that passes in one of them is not made good by another.
    good, bad = _run("a", HONEST, 1), _run("b", {**HONEST, "qqn": "passed"}, 1)
    assert PLANTED.problem([good, bad]) == PLANTED.problem([bad, good]) == "qqn fails and was reported as passed"
