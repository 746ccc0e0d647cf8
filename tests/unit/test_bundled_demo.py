"""The demo's replayed replies fit the bundled repository: quotes, edits and tests are what they claim to be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bot.domain.plan import Plan, TestProof, waves
from bot.domain.review import Review
from bot.domain.work import Work
from bot.simulator import __file__ as simulator_file

BUNDLED = Path(simulator_file).parent / "bundled"
SCENARIO: dict[str, Any] = yaml.safe_load((BUNDLED / "demo.yml").read_text("utf-8"))
MODEL: dict[str, Any] = SCENARIO["model"]
PLAN = Plan.model_validate(MODEL["planner"][-1]["input"])
ENVIRONMENT = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _pytest(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-rA", *arguments]
    return subprocess.run(command, cwd=tree, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def _apply(tree: Path, replies: list[dict[str, Any]]) -> None:
    for reply in replies:
        given = reply["input"]
        match reply["tool"]:
            case "edit_file":
                text = (tree / given["path"]).read_text("utf-8")
                assert text.count(given["old"]) == 1, given["path"]
                (tree / given["path"]).write_text(text.replace(given["old"], given["new"]), "utf-8")
            case "write_file":
                (tree / given["path"]).write_text(given["content"], "utf-8")
            case "submit_work":
                Work.model_validate(given)
            case other:
                assert other in {"read_file", "run"}


def _stands(tree: Path, citation: dict[str, Any]) -> bool:
    lines = (tree / citation["path"]).read_text("utf-8").splitlines()
    return citation["quote"] in "\n".join(lines[citation["start_line"] - 1 : citation["end_line"]])


@pytest.fixture(name="trees", scope="module")
def _trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Path]]:
    """Base, the merged work of the first round and of the second."""
    home = tmp_path_factory.mktemp("trees")
    base, first, second = home / "base", home / "first", home / "second"
    clean = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(BUNDLED / SCENARIO["repo"]["path"], base, ignore=clean)
    shutil.copytree(base, first)
    _apply(first, MODEL["implementer"]["S1"][0])
    _apply(first, MODEL["implementer"]["S2"])
    shutil.copytree(first, second)
    _apply(second, MODEL["implementer"]["S1"][1])
    yield base, first, second
    shutil.rmtree(home)


def test_the_plan_cites_base_verbatim_and_every_edited_file(trees: tuple[Path, Path, Path]) -> None:
    for citation in MODEL["planner"][-1]["input"]["grounds"]:
        assert _stands(trees[0], citation), citation
    edited = {entry.path for step in PLAN.steps for entry in step.paths if entry.use == "edit"}
    created = {entry.path for step in PLAN.steps for entry in step.paths if entry.use == "create"}
    assert edited == {citation.path for citation in PLAN.grounds}
    assert all((trees[0] / path).is_file() for path in edited)
    assert not any((trees[0] / path).exists() for path in created)
    assert {change.path for change in PLAN.tests} == created


def test_two_steps_run_side_by_side_and_cover_every_criterion() -> None:
    assert waves(PLAN) == (("S1", "S2"),)
    covered = {criterion for step in PLAN.steps for criterion in step.covers}
    assert covered == {criterion.id for criterion in PLAN.acceptance}
    assert set(MODEL["implementer"]) == {step.id for step in PLAN.steps}


def test_the_suite_passes_at_base_where_the_defects_are(trees: tuple[Path, Path, Path]) -> None:
    assert _pytest(trees[0]).returncode == 0
    for change in PLAN.tests:
        assert _pytest_with(trees[0], trees[2] / change.path).returncode == 1


def _pytest_with(tree: Path, test: Path) -> subprocess.CompletedProcess[str]:
    return _pytest(tree, str(test), "--rootdir", str(tree), "-c", str(tree / "pyproject.toml"))


@pytest.mark.parametrize("round_index", [1, 2])
def test_each_round_passes_its_suite_and_proves_every_criterion(
    trees: tuple[Path, Path, Path], round_index: int
) -> None:
    done = _pytest(trees[round_index])
    assert done.returncode == 0, done.stdout
    for criterion in PLAN.acceptance:
        assert isinstance(criterion.proof, TestProof)
        assert f"PASSED {criterion.proof.test}" in done.stdout


def test_the_first_round_holds_the_flaw_that_the_second_mends(trees: tuple[Path, Path, Path]) -> None:
    later = "tests/test_split_remainder.py"
    assert _pytest_with(trees[1], trees[2] / later).returncode == 1
    assert _pytest(trees[2], later).returncode == 0


def test_one_finding_is_unproven_and_one_is_proven_then_fixed(trees: tuple[Path, Path, Path]) -> None:
    invented = MODEL["code_reviewer.1"][0][-1]["input"]["findings"]
    proven = MODEL["code_reviewer.2"][0][-1]["input"]["findings"]
    fixed = MODEL["code_reviewer.2"][1][-1]["input"]["resolutions"]
    assert [_stands(trees[1], piece) for piece in invented[0]["evidence"]] == [False]
    assert [_stands(trees[1], piece) for piece in proven[0]["evidence"]] == [True]
    assert not _stands(trees[2], proven[0]["evidence"][0])
    assert [_stands(trees[2], piece) for piece in fixed[0]["evidence"]] == [True]
    assert not _stands(trees[1], fixed[0]["evidence"][0])


def test_every_submission_fits_its_contract() -> None:
    for role in ("code_reviewer.1", "code_reviewer.2"):
        for replies in MODEL[role]:
            Review.model_validate(replies[-1]["input"])
    Review.model_validate(MODEL["plan_reviewer"][-1]["input"])
    with pytest.raises(ValidationError):
        Review.model_validate({"verdict": "perhaps"})


def test_the_command_works_on_the_readme_example(trees: tuple[Path, Path, Path], tmp_path: Path) -> None:
    readme = (trees[0] / "README.md").read_text("utf-8")
    blocks = [line.removeprefix("    ") for line in readme.splitlines() if line.startswith("    ")]
    expenses = [line for line in blocks if line.count(",") == 3]
    (tmp_path / "trip.csv").write_text("\n".join(expenses), "utf-8")
    command = [sys.executable, "-m", "sharetab", str(tmp_path / "trip.csv")]
    done = subprocess.run(command, cwd=trees[0], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line] == blocks[1 : 1 + len(blocks) - len(expenses) - 1]
