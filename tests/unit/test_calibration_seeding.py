"""Which diffs of a range are taken, where defects are seeded in them, and that the repository given is left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.domain.repo_config import RepoConfig
from bot.simulator.calibration.history import History, read_history
from bot.simulator.calibration.seeding import Seed, clean_patch, seeds
from bot.simulator.calibration.subject import plan_subject
from bot.simulator.calibration.syntax import Defect, read_source
from tests.unit.calibration_repository import COMMITS, STORE, TESTS, fingerprint, git, made


def history(tmp_path: Path, span: str = "HEAD~4..HEAD", repository: Path | None = None) -> History:
    place = tmp_path / f"place{len(list(tmp_path.iterdir()))}"
    place.mkdir()
    return read_history(repository or made(tmp_path / "repository"), span, place)


def test_the_commits_of_a_range_are_diffs_beside_their_parents(tmp_path: Path) -> None:
    found = history(tmp_path)
    assert found.in_range == 4
    assert [one.title for one in found.commits] == [message.partition("\n")[0] for message, _ in COMMITS[1:]]
    assert found.commits[0].body == "Only an admin may save."
    assert [file.path for file in found.commits[0].files] == ["store.py", "tests/test_store.py"]
    assert all(clean_patch(found, one).base_tree == one.base_tree for one in found.commits)


def _one_per_kind(found: list[Seed]) -> dict[Defect, Seed]:
    return {one.defect: one for one in found}


def test_every_kind_is_seeded_where_the_diff_shows_it(tmp_path: Path) -> None:
    past = history(tmp_path)
    found = seeds(past, 40, random.Random(1))
    assert set(_one_per_kind(found)) == set(Defect)
    assert [one.defect for one in found[:6]] == list(Defect)
    assert len({(one.tree, one.commit.sha) for one in found}) == len(found)
    for one in found:
        data = past.trees.read(one.tree, one.path)
        original = past.trees.read(one.commit.tree, one.path)
        assert data is not None
        assert data != original
        assert read_source(one.path, data) is not None
        lines = data.decode().split("\n")
        first, last = one.lines
        assert 1 <= first <= last <= len(lines)
        assert all(part in data.decode() for part in one.after.split("\n"))
        # One place alone differs from the real diff.
        changed = past.trees.diff(one.commit.tree, one.tree)
        assert [(file.path, len(file.hunks)) for file in changed] == [(one.path, 1)]
        assert past.trees.apply(one.patch) == one.tree
        assert one.patch.base_tree == one.commit.base_tree
    places = [(one.commit.sha, one.path, one.before) for one in found]
    assert len(places) > len(found) // 2


def test_what_the_diff_adds_carries_the_defect_and_tests_are_deleted_that_stood_before(tmp_path: Path) -> None:
    past = history(tmp_path)
    found = seeds(past, 60, random.Random(2))
    deleted = [one for one in found if one.defect is Defect.DELETED_TEST]
    assert {one.before.split("(")[0] for one in deleted} == {"def test_save", "def test_save_of_nothing"}
    assert {one.commit.title for one in deleted} == {"Test one more"}
    assert all(one.path in {"store.py", "page.js"} for one in found if one.defect is not Defect.DELETED_TEST)


def test_a_test_of_the_changed_file_is_deleted_where_the_diff_has_none(tmp_path: Path) -> None:
    more = (*COMMITS[:2], ("Say less", {"store.py": STORE + "\n\nLIMIT = 3\n"}))
    past = history(tmp_path, "HEAD~1..HEAD", made(tmp_path / "repository", more))
    (seed,) = seeds(past, 1, random.Random(3))
    assert (seed.defect, seed.path) == (Defect.DELETED_TEST, "tests/test_store.py")


def test_the_same_seed_gives_the_same_defects_and_another_others(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    first, again, other = (
        [(one.commit.sha, one.path, one.tree) for one in seeds(history(tmp_path, repository=repository), 8, chance)]
        for chance in (random.Random(5), random.Random(5), random.Random(6))
    )
    assert first == again
    assert first != other


def test_nothing_is_written_to_the_repository(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    before = fingerprint(repository)
    seeds(history(tmp_path, repository=repository), 12, random.Random(1))
    assert fingerprint(repository) == before


def test_settings_of_the_repository_start_no_program(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    ran = tmp_path / "ran"
    for name in ("core.fsmonitor", "core.sshCommand", "diff.external", "diff.x.textconv", "core.pager", "gpg.program"):
        git(repository, "config", name, f"touch {ran}; cat")
    git(repository, "config", "core.hooksPath", str(tmp_path))
    git(repository, "config", "log.showSignature", "true")
    (repository / ".gitattributes").write_text("* diff=x filter=x\n")
    git(repository, "config", "filter.x.smudge", f"touch {ran}")
    assert seeds(history(tmp_path, repository=repository), 3, random.Random(1))
    assert not ran.exists()


def test_a_linked_work_tree_and_a_folder_below_are_read_too(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    assert len(history(tmp_path, repository=tmp_path / "linked").commits) == 4
    assert len(history(tmp_path, repository=repository / "tests").commits) == 4


def test_merges_and_first_commits_are_left_out(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    git(repository, "checkout", "--quiet", "--orphan", "other")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "Another beginning")
    git(repository, "checkout", "--quiet", "main")
    git(repository, "merge", "--quiet", "--allow-unrelated-histories", "-s", "ours", "-m", "Join", "other")
    found = history(tmp_path, "HEAD~1..", repository)
    assert (found.in_range, found.commits) == (1, ())


@pytest.mark.parametrize(
    ("span", "why"),
    [
        ("HEAD", "is no range"),
        ("..HEAD", "is no range"),
        ("HEAD~1...HEAD", "is no range"),
        ("--all..HEAD", "is no range"),
        ("HEAD..--exec=x", "is no range"),
        ("HEAD~99..HEAD", "there is no commit 'HEAD~99'"),
        ("main..gone", "there is no commit 'gone'"),
        ("HEAD:store.py..HEAD", "there is no commit"),
        ("HEAD..HEAD", "holds no commit"),
    ],
)
def test_a_range_that_is_none_is_said_in_one_sentence(tmp_path: Path, span: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as error:
        history(tmp_path, span)
    assert "\n" not in error.value.sentence


def test_what_is_no_repository_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        history(tmp_path, repository=tmp_path / "none")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UserError, match="is no git repository"):
        history(tmp_path, repository=tmp_path / "plain")


def test_a_shallow_history_is_enough_where_the_range_is_in_it(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    git(tmp_path, "clone", "--quiet", "--depth=2", repository.as_uri(), "shallow")
    assert len(history(tmp_path, "HEAD~1..HEAD", tmp_path / "shallow").commits) == 1


def test_a_history_with_holes_is_said_in_one_sentence(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    blob = git(repository, "rev-parse", "HEAD:tests/test_store.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UserError, match="not there in full"):
        history(tmp_path, "HEAD~1..HEAD", repository)


def test_a_diff_that_nobody_could_read_is_left_out(tmp_path: Path) -> None:
    many = (
        *COMMITS[:1],
        ("Too long", {"long.py": "x = 1\n" * 2_000}),
        ("Too many", {f"part{number}.py": "x = 1\n" for number in range(50)}),
        ("Strange name", {"a\u202eb.py": "x = 1\n"}),
    )
    found = history(tmp_path, "HEAD~3..HEAD", made(tmp_path / "repository", many))
    assert (found.in_range, found.commits) == (3, ())


def test_reviewers_are_told_of_the_commit_and_of_nothing_else(tmp_path: Path) -> None:
    commit = history(tmp_path).commits[0]
    plan = plan_subject(commit, RepoConfig()).plan
    assert plan.paths == {"store.py", "tests/test_store.py"}
    assert [(one.path, one.change) for one in plan.tests] == [("tests/test_store.py", "add")]
    assert "Only an admin may save." in plan.steps[0].intent
    assert TESTS not in plan.model_dump_json()


def test_links_and_what_configures_tests_carry_no_defect(tmp_path: Path) -> None:
    repository = made(tmp_path / "repository")
    (repository / "tests" / "conftest.py").write_text(STORE)
    # A link whose target reads as a program is no program.
    (repository / "linked.py").symlink_to("a<b")
    (repository / "tests" / "test_linked.py").symlink_to("test_store.py")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "-m", "Link")
    assert seeds(history(tmp_path, "HEAD~1..HEAD", repository), 5, random.Random(1)) == []
