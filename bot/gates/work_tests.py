"""No test is taken away, silenced or loosened but as the approved plan's ``tests`` says (DESIGN section 5, *Work gate*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.facts import TestFileFact, VerifyRun, WorkFacts
from bot.domain.gate import Reason
from bot.domain.paths import shown
from bot.domain.plan import Plan
from bot.gates.reasons import judged


def announced(plan: Plan, path: str) -> frozenset[str]:
    """What ``plan.tests`` says of ``path``."""
    return frozenset(change.change for change in plan.tests if change.path == path)


def tests_as_announced(facts: WorkFacts) -> Reason:
    """Each change to a test or runner configuration file is one that the plan announced."""
    problems = [problem for file in facts.test_files for problem in _problems(facts.plan, file)]
    return judged(
        "tests", problems, "Tests changed only as the plan says.", files=[file.path for file in facts.test_files]
    )


def _problems(plan: Plan, file: TestFileFact) -> Sequence[str]:
    said = announced(plan, file.path)
    name = shown(file.path)
    if file.role == "configuration":
        needed = {"added": "add", "modified": "edit", "deleted": "delete"}[file.kind]
        if needed in said:
            return ()
        what = shown(file.why) or "configures the test runner"
        return (f"{name} {what} and was {file.kind}; the plan's tests must say {needed}",)
    if file.kind == "added":
        return ()
    if file.kind == "deleted":
        return () if "delete" in said else (f"the test file {name} was deleted; the plan's tests must say delete",)
    if not file.readable:
        # What was lost cannot be seen in a language that no parser of ours reads, so any edit has to be announced.
        return (
            () if said else (f"the test file {name} was modified and cannot be read; the plan's tests must say edit",)
        )
    found: list[str] = []
    for word, tests, needed in (
        ("deletes", file.deleted, "delete"),
        ("skips", file.skipped, "skip"),
        ("empties", file.emptied, "delete"),
        ("weakens", file.weakened, "edit"),
    ):
        if tests and needed not in said:
            names = ", ".join(shown(test) for test in tests)
            found.append(f"{name} {word} {names}; the plan's tests must say {needed}")
    return found


def ids_readable(run: VerifyRun) -> bool:
    """Whether any command of ``run`` is a test runner whose ids can be read."""
    return any(one.tests is not None for one in run.runs)


def unreadable_runner(facts: WorkFacts) -> Reason:
    """Where no test can be followed by name, existing test files stay as they are, announced or not.

    A repository may have several runners: what counts for a file is the one that runs its language.
    """
    readable = ids_readable(facts.as_is)
    existing = [file for file in facts.test_files if file.role == "test" and file.kind != "added"]
    problems = [
        f"{shown(file.path)} was {file.kind}, and the test runner's ids cannot be read to follow its tests"
        for file in existing
        if not readable or not file.followed
    ]
    fine = (
        "The test runner's ids can be read."
        if readable
        else "The test runner's ids cannot be read; no existing test file changed."
    )
    return judged("runner", problems, fine, ids_readable=readable)


def proves_nothing(facts: WorkFacts, test: str) -> str:
    """The first test that this proof names and in which no assertion can fail, as the work's syntax trees have it; else ""."""
    path, _, name = test.partition("[")[0].partition("::")
    for file in facts.test_files:
        for empty in file.hollow:
            own = empty.replace(".", "::")
            if path == file.path and (not name or own == name or own.startswith(f"{name}::")):
                return f"{file.path}::{own}"
            if _is_named(test, file.path, empty):
                return f"{file.path}::{empty}"
    return ""


def gone_as_announced(facts: WorkFacts, test: str, now: Mapping[str, str]) -> bool:
    """Whether the plan lets the test of this id go away or be skipped, and the work's syntax trees say that it did.

    ``now``: outcome by test id of the run in which ``test`` does not pass any more.
    """
    for file in facts.test_files:
        said = announced(facts.plan, file.path)
        if file.kind == "deleted" and "delete" in said and test.startswith(file.path + "::"):
            return True
        lost = (*(file.deleted if "delete" in said else ()), *(file.skipped if "skip" in said else ()))
        if any(_is_named(test, file.path, name) for name in lost):
            return True
        if "edit" in said and test.startswith(file.path + "::") and _has_other_cases(test, now):
            return True
    return False


def _has_other_cases(test: str, now: Mapping[str, str]) -> bool:
    """Whether a parametrised test only changed its cases: this one is gone, and another of the same test passes."""
    family, bracket, _ = test.partition("[")
    if not bracket or test in now:
        return False
    return any(outcome == "passed" and other.partition("[")[0] == family for other, outcome in now.items())


def _is_named(test: str, path: str, name: str) -> bool:
    """Whether ``name`` (as ``Class::test`` or ``Class.test``, parameters aside) is what the id says.

    Ids of unittest begin with a module, of Go with a package, of Node at most with a file; a longer title that ends alike
    is another test.
    """
    inner, _, _ = test.partition("[")
    if path.endswith(".go"):
        return _is_named_in_go(inner, path, name)
    if path.endswith(".py") and "::" not in test:
        return _is_named_in_unittest(test, path, name)
    if path.endswith(".py"):
        return inner == f"{path}::{name.removeprefix(path + '::').replace('.', '::')}"
    file, _, title = test.partition(" > ")
    return test == name or (title == name and f"/{file}".endswith(f"/{path}"))


def _is_named_in_unittest(test: str, path: str, name: str) -> bool:
    """Ids are ``module.Class.test``; the module is told from the folder that the runner was started in or given."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    own = name.replace("::", ".")
    return any(test == ".".join((*parts[depth:], own)) for depth in range(len(parts)))


def _is_named_in_go(test: str, path: str, name: str) -> bool:
    """Ids are ``module/folder/Test/subtest``; a package elsewhere may have a test of the same name."""
    folder = path.rpartition("/")[0]
    if not folder:
        return test == name or f"/{name}/" in f"/{test}/" or test.endswith(f".{name}")
    return f"/{folder}/{name}/" in f"/{test}/"
