"""Files are followed through their names, by what is in them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.gates.renames import MOST_COMPARED, first_names, renames

TEXT = ["def total(items):", "    return items[0]", "", "def other():", "    return 1"]


def test_the_same_text_under_a_new_name_is_the_same_file() -> None:
    assert renames({"a.py": TEXT, "b.py": ["x = 1"]}, {"c.py": ["x = 1"], "d/a.py": TEXT}) == {
        "c.py": "b.py",
        "d/a.py": "a.py",
    }
    assert renames({"a.py": TEXT}, {"b.py": TEXT, "c.py": TEXT}) == {"b.py": "a.py"}
    assert renames({"a.py": []}, {"b.py": []}) == {}
    assert renames({}, {"b.py": TEXT}) == {}


def test_a_file_that_is_mostly_the_same_is_renamed_and_one_that_is_not_is_new() -> None:
    changed = ["def total(items):", "    return sum(items)", "", "def  other():", "    return 1"]
    assert renames({"a.py": TEXT}, {"b.py": changed}) == {"b.py": "a.py"}
    assert renames({"a.py": TEXT}, {"b.py": [*TEXT[:1], "x = 1", "y = 2", "z = 3"]}) == {}
    assert renames({"a.py": ["one"], "b.py": TEXT}, {"c.py": changed, "d.py": changed[:2]}) == {"c.py": "b.py"}
    half = ["def total(items):", "    return items[0]", "new = 1", "newer = 2"]
    assert renames({"a.py": TEXT}, {"b.py": half}) == {"b.py": "a.py"}


def test_the_most_alike_wins_and_ties_go_by_path() -> None:
    near = [*TEXT, "more = 1"]
    assert renames({"a.py": TEXT}, {"b.py": [*near, "most = 2"], "c.py": near}) == {"c.py": "a.py"}
    assert renames({"a.py": TEXT}, {"c.py": near, "b.py": [*TEXT, "less = 1"]}) == {"b.py": "a.py"}


def test_too_many_pairs_are_followed_by_equal_content_alone() -> None:
    gone = {f"a{number}.py": [f"x = {number}", "same = 1", "same = 2"] for number in range(MOST_COMPARED // 50 + 2)}
    new = {f"b{number:02}.py": [f"y = {number}", "same = 1", "same = 2"] for number in range(50)}
    assert renames(gone, new) == {}
    assert renames(gone, new | {"c.py": gone["a7.py"]}) == {"c.py": "a7.py"}


def test_first_names_are_kept_over_many_steps_and_through_a_circle() -> None:
    known = first_names({}, {"b.py": "a.py"})
    known = first_names(known, {"c.py": "b.py"})
    assert (known["b.py"], known["c.py"]) == ("a.py", "a.py")
    assert first_names(known, {"a.py": "c.py"}) == {"b.py": "a.py", "c.py": "a.py"}


class Read(list[str]):
    """Lines that count how often they are gone through."""

    times = 0

    def __iter__(self) -> Iterator[str]:
        self.times += 1
        return super().__iter__()


def test_lines_are_counted_once_for_a_file_however_many_it_is_compared_with() -> None:
    gone = {f"a{number}.py": Read([f"x = {number}", "same = 1"]) for number in range(9)}
    new = {f"b{number}.py": Read([f"y = {number}", "same = 1"]) for number in range(9)}
    assert renames(gone, new) == {f"b{number}.py": f"a{number}.py" for number in range(9)}
    compared_whole = 2  # by equal content, and whether it holds anything
    assert {one.times for one in (*gone.values(), *new.values())} <= set(range(1 + compared_whole + 1))
