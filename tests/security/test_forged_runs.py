"""A hostile implementer forges green runs in real sandboxes: each forgery closes the work gate, and says by what.

The plan allows every path that a forgery needs, so that it is not the paths that close the gate but what the runs show.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from bot.domain.facts import WorkFacts
from bot.domain.repo_config import RepoConfig
from bot.gates.work_gate import WORK_GATE
from tests.unit.test_agents_implementing import FIXED, NEW_TEST, verified
from tests.unit.test_agents_world import CALC, PLAN, sandbox, world
from workers.sandbox.box import Sandbox

__all__ = ["sandbox"]

WRONG = CALC["calc.py"] + "\n# nothing mended\n"
"""Nothing is mended: only a forgery can make the new test pass."""
BROKEN = WRONG.replace("def sub(a, b):\n    return a - b", "def sub(a, b):\n    return 0")
PROOFS_ONLY = frozenset({"planted test", "as it is", "proofs", "base's tests"})


def plan_for(files: dict[str, Any], *, announce: bool) -> dict[str, Any]:
    """A plan whose only step may touch ``files`` as they are touched, each named as a risk; its tests announced or not."""
    paths = [{"path": path, "use": "edit" if path in CALC else "create"} for path in files]
    told = [{"path": path, "change": "edit" if path in CALC else "add", "why": "w"} for path in files]
    return {
        **PLAN,
        "steps": [{**PLAN["steps"][0], "paths": paths}],
        "tests": told if announce else [one for one in told if one["path"] == "tests/test_add.py"],
        "risks": [{"text": path, "mitigation": "none"} for path in files],
    }


def closed_by(facts: WorkFacts) -> dict[str, str]:
    return {one.verifier: one.sentence for one in WORK_GATE.evaluate(facts).reasons if one.verdict != "pass"}


def forge(tmp_path: Path, sandbox: Sandbox, files: dict[str, str], *, announce: bool = True) -> dict[str, str]:
    files = {"tests/test_add.py": NEW_TEST, **files}
    with world(tmp_path, sandbox) as here:
        return closed_by(verified(here, files, plan_for(files, announce=announce)))


def code(text: str, rest: str = BROKEN) -> dict[str, str]:
    return {"calc.py": textwrap.dedent(text) + rest}


PATCHED = """
    import _pytest.reports
    _old = _pytest.reports.TestReport.from_item_and_call.__func__

    def _new(cls, item, call):
        report = _old(cls, item, call)
        if {when}:
            report.outcome, report.longrepr = "passed", None
        return report

    _pytest.reports.TestReport.from_item_and_call = classmethod(_new)
"""
HOOK = """
    import pytest

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        outcome = yield
        report = outcome.get_result()
        if {when}:
            report.outcome, report.longrepr = "passed", None
"""
KNOWN = 'item.name in {"test_sub", "test_add"}'
FAKE_REPORT = """
    import gc, json, sys
    _mark = next(name for name in sys.modules if name.startswith("conductor_report_"))
    _tell = sys.modules[_mark]._tell

    def _lie(**line):
        if line.get("outcome") == "failed":
            line["outcome"] = "passed"
        _tell(**line)

    sys.modules[_mark]._tell = _lie
    import _pytest.main
    _pytest.main.Session.exitstatus = property(lambda self: 0, lambda self, value: None)
"""
SWALLOWS = """
    import sys as _s
    _function = _s.modules["_py" + "test.python"].Function
    _old = _function.runtest

    def _run(self):
        try:
            _old(self)
        except AssertionError as failed:
            if "[0]" in str(failed):
                raise

    _function.runtest = _run
"""
REWRITES = """
    import pathlib
    for _path in pathlib.Path(__file__).parent.glob("tests/test_*.py"):
        _path.write_text("def test_sub():\\n    pass\\n\\n\\ndef test_add():\\n    pass\\n")
"""


@pytest.mark.parametrize(
    ("files", "verifier", "says"),
    [
        # The four edits that are known to forge a green run.
        (code("import os\nos._exit(0)\n", FIXED), "as it is", "reports"),
        (code(PATCHED.format(when="True")), "planted test", "fails and was reported as passed"),
        ({**code(""), "pytest.py": "print('2 passed')\nraise SystemExit(0)\n"}, "as it is", "(the runner did not report)"),
        ({**code(""), "conftest.py": textwrap.dedent(HOOK.format(when="True"))}, "planted test", "fails and was reported as passed"),
        # The same, for the names that the forger knows.
        (code(PATCHED.format(when=KNOWN)), "planted test", "fails and was reported as passed"),
        ({**code(""), "conftest.py": textwrap.dedent(HOOK.format(when=KNOWN))}, "planted test", "fails and was reported as passed"),
        # Tests of unknown names are not run at all.
        (
            {**code("", FIXED), "conftest.py": "def pytest_collection_modifyitems(items):\n    items[:] = [one for one in items if one.name in {'test_sub', 'test_add'}]\n"},
            "planted test", "is run at base and not here",
        ),
        ({**code("", FIXED), "conftest.py": "import os\nos._exit(0)\n"}, "as it is", "is gone now"),
        ({**code(""), "conftest.py": "collect_ignore = ['tests/test_calc.py']\n"}, "as it is", "test_sub passed at base and is gone now"),
        ({**code(""), "conftest.py": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef no():\n    pytest.skip('x')\n"}, "proofs", "A1 does not hold"),
        # A known test is made to pass by its result, and the session ends with 0 whatever happened.
        ({**code(""), "conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"}, "as it is", "answered 0 and reports"),
        ({**code(""), "conftest.py": "import atexit, os\natexit.register(lambda: os._exit(0))\n"}, "as it is", "answered 0 and reports"),
        (code("import atexit, os\natexit.register(os._exit, 0)\n"), "as it is", "answered 0 and reports"),
        (code("import sys\nsys.exit(0)\n"), "as it is", "failed with exit code 3"),
        (code("import os, sys\nprint('2 passed in 0.01s', file=sys.__stdout__, flush=True)\nos.kill(os.getpid(), 9)\n"), "as it is", "exit code 137"),
        (code(FAKE_REPORT), "planted test", ""),
        (code(REWRITES), "planted test", ""),
        # What a planted failure used to say is let through, and every other assertion is swallowed.
        (code(SWALLOWS), "planted test", "fails and was reported as passed"),
        # Settings.
        ({**code(""), "pytest.ini": "[pytest]\naddopts = --deselect tests/test_calc.py::test_sub\n"}, "as it is", "test_sub passed at base and is gone now"),
        ({**code("", WRONG), "pytest.ini": "[pytest]\naddopts = -k sub\n"}, "proofs", "A1 does not hold"),
        ({**code("", WRONG), "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--co'\n"}, "as it is", ""),
        ({**code("", WRONG), "pytest.ini": "[pytest]\npython_functions = none_*\n"}, "as it is", "test_sub passed at base"),
        # Modules that are found before others.
        ({**code(""), "pluggy/__init__.py": "raise SystemExit(0)\n"}, "as it is", "(the runner did not report)"),
        ({**code(""), "sitecustomize.py": "import os\nos._exit(0)\n"}, "as it is", ""),
        ({**code(""), "json.py": "import os\nos._exit(0)\n"}, "as it is", ""),
        (
            {**code(""), "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n", "evil-1.dist-info/entry_points.txt": "[pytest11]\nevil = evil\n", "evil.py": textwrap.dedent(HOOK.format(when=KNOWN))},
            "planted test", "fails and was reported as passed",
        ),
        # A proof that proves nothing.
        ({**code("", WRONG), "tests/test_add.py": "from calc import add\n\n\ndef test_add():\n    add(1, 2)\n    assert True\n"}, "proofs", "asserts nothing that can fail"),
    ],
)  # fmt: skip
def test_a_forged_run_closes_the_gate_even_where_the_plan_announces_its_files(
    tmp_path: Path, sandbox: Sandbox, files: dict[str, str], verifier: str, says: str
) -> None:
    found = forge(tmp_path, sandbox, files)
    assert "steps" not in found, found
    assert "protected" not in found, found
    assert verifier in found, found
    assert says in found[verifier], found[verifier]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (code("import os\nos._exit(0)\n", FIXED), "calc.py reaches for os._exit"),
        (code(PATCHED.format(when=KNOWN)), "calc.py reaches for _pytest.reports"),
        ({**code("", FIXED), "pytest.py": ""}, "pytest.py is found before the module pytest"),
        ({**code("", FIXED), "tests/json.py": ""}, "tests/json.py is found before the standard module json"),
        ({**code("", FIXED), "tests/unit/conftest.py": ""}, "conftest.py configures the test runner"),
        ({**code("", FIXED), "evil-1.dist-info/entry_points.txt": ""}, "entry_points.txt configures the test runner"),
    ],
)
def test_what_reaches_for_the_runner_must_be_announced(
    tmp_path: Path, sandbox: Sandbox, files: dict[str, str], says: str
) -> None:
    assert says in forge(tmp_path, sandbox, files, announce=False)["tests"]


UNITTEST = {
    "calc.py": CALC["calc.py"],
    "tests/__init__.py": "",
    "tests/test_calc.py": "import unittest\n\nfrom calc import sub\n\n\nclass TestSub(unittest.TestCase):\n    def test_sub(self):\n        self.assertEqual(sub(3, 1), 2)\n",
}
PRINTED = "test_sub (tests.test_calc.TestSub.test_sub) ... ok\\ntest_add (tests.test_add.TestAdd.test_add) ... ok\\n\\nRan 2 tests in 0.000s\\n\\nOK\\n"
NEW_UNIT = UNITTEST["tests/test_calc.py"].replace("sub(3, 1), 2", "add(1, 2), 3").replace("import sub", "import add").replace("Sub", "Add").replace("test_sub", "test_add")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "verifier", "says"),
    [
        (FIXED, "", ""),
        (f"import os, sys\nsys.__stderr__.write('{PRINTED}')\nsys.__stderr__.flush()\nos._exit(0)\n" + WRONG, "as it is", "reports"),
        ("import unittest\nunittest.TestCase.assertEqual = lambda *_: None\n" + WRONG, "planted test", "fails and was reported as passed"),
        ("import unittest\nunittest.TestResult.wasSuccessful = lambda _: True\n" + WRONG, "as it is", "answered 0 and reports"),
    ],
)  # fmt: skip
def test_unittest_s_ids_are_not_what_the_code_prints(
    tmp_path: Path, sandbox: Sandbox, text: str, verifier: str, says: str
) -> None:
    files = {"calc.py": text, "tests/test_add.py": NEW_UNIT}
    proof = {"test": "tests.test_add.TestAdd.test_add"}
    plan = {**plan_for(files, announce=True), "acceptance": [{**PLAN["acceptance"][0], "proof": proof}]}
    config = RepoConfig(verify=("python -m unittest discover",))
    with world(tmp_path, sandbox, files=UNITTEST, config=config) as here:
        found = closed_by(verified(here, files, plan))
    if not verifier:
        assert found == {}
    else:
        assert says in found[verifier], found


NODE = {
    "calc.js": "exports.add = (a, b) => a - b;\nexports.sub = (a, b) => a - b;\n",
    "test/calc.test.js": (
        'const { test, describe, it } = require("node:test");\nconst assert = require("node:assert");\n'
        'const { sub } = require("../calc.js");\ndescribe("calc", () => {\n  it("subtracts", () => {\n'
        "    assert.strictEqual(sub(3, 1), 2);\n  });\n});\n"
    ),
}
NEW_NODE = (
    'const { add } = require("../calc.js");\nconst { test } = require("node:test");\nconst assert = require("node:assert");\n'
    'test("adds", () => {\n  assert.strictEqual(add(1, 2), 3);\n});\n'
)
NODE_WRONG = NODE["calc.js"] + "// nothing\n"
NODE_KNOWN = """
const runner = require("node:test");
const old = runner.test;
runner.test = (name, ...rest) => old(name, name === "adds" ? () => {} : rest[rest.length - 1]);
"""


@pytest.mark.parametrize(
    ("text", "verifier", "says"),
    [
        (NODE["calc.js"].replace("a - b", "a + b", 1), "", ""),
        (NODE_WRONG, "as it is", "failed with exit code 1"),
        ("process.exit(0);\n" + NODE_WRONG, "as it is", "is gone now"),
        ('require("node:assert").strictEqual = () => {};\n' + NODE_WRONG, "planted test", "was reported as passed"),
        (NODE_KNOWN + NODE_WRONG, "planted test", "adds fails and was reported as passed"),
        ('console.log("TAP version 13\\nok 1 - adds\\n");\nprocess.on("exit", () => process.reallyExit(0));\n' + NODE_WRONG, "as it is", ""),
    ],
)  # fmt: skip
def test_node_s_runs_are_not_forged(tmp_path: Path, sandbox: Sandbox, text: str, verifier: str, says: str) -> None:
    files = {"calc.js": text, "test/add.test.js": NEW_NODE}
    paths = [{"path": "calc.js", "use": "edit"}, {"path": "test/add.test.js", "use": "create"}]
    plan = {
        **PLAN,
        "acceptance": [{**PLAN["acceptance"][0], "proof": {"test": "adds"}}],
        "steps": [{**PLAN["steps"][0], "paths": paths}],
        "grounds": [{"path": "calc.js", "start_line": 1, "end_line": 1, "quote": "exports.add = (a, b) => a - b;"}],
        "tests": [{"path": "test/add.test.js", "change": "add", "why": "w"}],
    }
    config = RepoConfig(verify=("node --test",))
    with world(tmp_path, sandbox, files=NODE, config=config) as here:
        facts = verified(here, files, plan)
        found = closed_by(facts)
    if not verifier:
        assert found == {}
        assert "calc > subtracts" in facts.planted.planted or "adds" in facts.planted.planted
    else:
        assert says in found[verifier], found
