"""Mutation operators: each in each language that has it, and every mutant parses, differs and is where it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from bot.simulator.calibration.access import widened_permissions
from bot.simulator.calibration.operators import dropped_conditions, off_by_one, removed_waits, swallowed_errors
from bot.simulator.calibration.syntax import (
    Defect,
    Edit,
    Operator,
    Source,
    applied,
    lines_at,
    read_source,
    seeded_lines,
)
from bot.simulator.calibration.tests_gone import deleted_tests, names_of_tests
from bot.simulator.calibration.words import about_access, narrows_access

PYTHON = """\
async def load(items, limit):
    if not items:
        return None
    if limit > 0 and len(items) <= limit:
        items = items[1:]
    try:
        await items.fetch(limit + 1)
    except OSError as error:
        log(error)
        raise
    return await items.first() if items or limit < 3 else None


@login_required
def save(user, path, items):
    if not user.is_admin:
        raise Forbidden
    if items and user.can_write(path):
        os.chmod(path, 0o600)
    return items


def can_read(user):
    if user is None:
        return False
    return True
"""
SCRIPT = """\
async function load(items, limit) {
  if (!items) return null;
  if (limit > 0 && items.length <= limit) {
    items = items.slice(1);
  }
  try {
    await items.fetch(limit + 1);
  } catch (error) {
    log(error);
    throw error;
  }
  return items[0];
}
function save(user, path) {
  if (user.isAdmin && path) {
    fs.chmodSync(path, 0o640);
  }
  return path;
}
const canRead = (user) => {
  if (!user) {
    return false;
  }
  return true;
};
"""
TYPED = """\
class Files {
  @UseGuards(RoleGuard)
  async load(items: Array<string>, limit: number): Promise<string | null> {
    if (!items) {
      return null;
    }
    if (limit > 0 || items.length < limit) {
      await this.fetch(items[limit - 1]);
    }
    try {
      this.check();
    } catch {
      return null;
    }
    return items[0];
  }
}
"""
GO = """\
package files

func Load(items []string, limit int) error {
	if limit > 0 && len(items) <= limit {
		items = items[1:]
	}
	if len(items) == 0 {
		return nil
	}
	if err := fetch(items); err != nil {
		return err
	}
	err := store(items)
	if err != nil {
		return err
	}
	wg.Wait()
	<-done
	return os.Chmod(items[0], 0600)
}

func canRead(u *User) bool {
	if u == nil {
		return false
	}
	return u.Admin && u.Active
}
"""
JAVA = """\
class Files {
    @PreAuthorize("hasRole('ADMIN')")
    String load(List<String> items, int limit) throws IOException {
        if (items == null) {
            return null;
        }
        if (limit > 0 && items.size() <= limit) {
            items = items.subList(1, limit - 1);
        }
        try {
            worker.join();
        } catch (InterruptedException error) {
            throw new IOException(error);
        }
        return items.get(0);
    }

    boolean canRead(User user) {
        if (user == null) {
            return false;
        }
        return true;
    }
}
"""
FILES = {"a.py": PYTHON, "a.js": SCRIPT, "a.ts": TYPED, "a.go": GO, "a.java": JAVA}
ALL: tuple[Operator, ...] = (dropped_conditions, off_by_one, swallowed_errors, removed_waits, widened_permissions)


def source_of(path: str, text: str) -> Source:
    found = read_source(path, text.encode())
    assert found is not None
    return found


def mutants(operator: Operator, path: str) -> list[str]:
    """What each edit of the operator leaves of the lines that it is about, blanks packed."""
    source = source_of(path, FILES[path])
    return [" ".join(_around(source, edit).split()) for edit in operator(source)]


def _around(source: Source, edit: Edit) -> str:
    data = applied(source, edit)
    assert data is not None, (edit, source.data[edit.start : edit.end])
    if edit.removes:
        return "- " + source.data[edit.start : edit.end].decode()
    first, last = seeded_lines(data, edit)
    return "\n".join(data.decode().split("\n")[first - 1 : last])


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "a.py",
            {
                "if limit > 0:",
                "if len(items) <= limit:",
                "- if not items: return None",
                "- if user is None: return False",
            },
        ),
        ("a.js", {"if (limit > 0) {", "if (items.length <= limit) {", "- if (!items) return null;"}),
        ("a.ts", {"if (limit > 0) {", "if (items.length < limit) {", "- if (!items) { return null; }"}),
        ("a.go", {"if limit > 0 {", "if len(items) <= limit {", "- if len(items) == 0 { return nil }"}),
        ("a.java", {"if (limit > 0) {", "if (items.size() <= limit) {", "- if (items == null) { return null; }"}),
    ],
)
def test_a_condition_is_dropped(path: str, wanted: set[str]) -> None:
    found = mutants(dropped_conditions, path)
    assert wanted <= set(found), found
    # To drop what keeps people out is another kind of defect, and so is what Go asks of an error.
    assert not {"if (path) {", "return u.Active", "if items:"} & set(found)
    assert not any("admin" in one.lower() or "err" in one for one in found if one.startswith("-")), found


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "a.py",
            {
                "if limit >= 0 and len(items) <= limit:",
                "if limit > 0 and len(items) < limit:",
                "items = items[2:]",
                "await items.fetch(limit + 2)",
            },
        ),
        ("a.js", {"if (limit >= 0 && items.length <= limit) {", "return items[1];", "await items.fetch(limit + 2);"}),
        ("a.ts", {"if (limit > 0 || items.length <= limit) {", "await this.fetch(items[limit - 2]);"}),
        ("a.go", {"if limit > 0 && len(items) < limit {", "items = items[2:]", "return os.Chmod(items[1], 0600)"}),
        (
            "a.java",
            {"if (limit >= 0 && items.size() <= limit) {", "items = items.subList(1, limit - 2);"},
        ),
    ],
)
def test_a_bound_is_off_by_one(path: str, wanted: set[str]) -> None:
    found = mutants(off_by_one, path)
    assert wanted <= set(found), found
    assert not any("Array<=" in one for one in found)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a.py", ["pass"]),
        ("a.js", ["} catch (error) { }"]),
        ("a.ts", ["} catch { }"]),
        ("a.go", ["if err := fetch(items); err != nil { }", "if err != nil { }"]),
        ("a.java", ["} catch (InterruptedException error) { }"]),
    ],
)
def test_an_error_is_swallowed(path: str, wanted: list[str]) -> None:
    assert mutants(swallowed_errors, path) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "a.py",
            [
                "items.fetch(limit + 1)",
                "return items.first() if items or limit < 3 else None",
            ],
        ),
        ("a.js", ["items.fetch(limit + 1);"]),
        ("a.ts", ["this.fetch(items[limit - 1]);"]),
        ("a.go", ["- wg.Wait()", "- <-done"]),
        ("a.java", ["- worker.join();"]),
    ],
)
def test_a_wait_is_removed(path: str, wanted: list[str]) -> None:
    assert mutants(removed_waits, path) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "a.py",
            {
                "os.chmod(path, 0o666)",
                "- @login_required",
                "if items:",
                "- if not user.is_admin: raise Forbidden",
                "return True",
            },
        ),
        ("a.js", {"fs.chmodSync(path, 0o666);", "if (path) {", "return true;"}),
        ("a.ts", {"- @UseGuards(RoleGuard)"}),
        ("a.go", {"return os.Chmod(items[0], 0666)", "return true", "return u.Active"}),
        ("a.java", {"- @PreAuthorize(\"hasRole('ADMIN')\")", "return true;"}),
    ],
)
def test_a_permission_is_widened(path: str, wanted: set[str]) -> None:
    assert set(mutants(widened_permissions, path)) == wanted


def test_words_of_access_are_told_from_others() -> None:
    for word in ("authorize(x)", "user.is_admin", "can_write", "canRead", "x.hasRole('A')", "Permission", "mayEdit"):
        assert about_access(word), word
    for word in ("author", "cancel", "scanRead", "maybe", "is_empty", "can", "authored_by"):
        assert not about_access(word), word
    assert not narrows_access("@csrf_exempt")
    assert not narrows_access("@PermitAll")


def _every() -> Iterator[tuple[Source, Edit]]:
    for path, text in FILES.items():
        source = source_of(path, text)
        for operator in ALL:
            for edit in operator(source):
                yield source, edit


def test_every_mutant_parses_differs_and_is_where_it_says() -> None:
    seen = set()
    for source, edit in _every():
        data = applied(source, edit)
        assert data is not None
        assert data != source.data
        if source.path == "a.py":
            ast.parse(data)
        before, after = source.data.decode().split("\n"), data.decode().split("\n")
        same = next(number for number, (a, b) in enumerate(zip(before, after, strict=False), 1) if a != b)
        first, last = seeded_lines(data, edit)
        assert first <= same <= last + 1, (edit, same, first, last)
        assert 1 <= first <= last <= len(after)
        at = lines_at(source, edit)
        assert at[0] <= same <= at[1] + 1 or edit.removes
        seen.add((source.path, edit.defect))
    assert {defect for _, defect in seen} == set(Defect) - {Defect.DELETED_TEST}
    assert {path for path, _ in seen} == set(FILES)


TESTS = {
    "test_a.py": (
        (
            "import a\n\n\n# One holds.\n@mark\ndef test_one():\n    assert a\n\n\ndef help_me():\n    pass\n\n\n"
            "class TestAll:\n    def test_two(self):\n        assert a\n\n    def test_three(self):\n        assert a\n\n\n"
            "class TestLonely:\n    def test_only(self):\n        assert a\n"
        ),
        ["test_one", "test_two", "test_three"],
    ),
    "a.test.js": (
        (
            "describe('a', () => {\n  it('adds', () => {\n    expect(1).toBe(1);\n  });\n  test.each([1])('b', (x) => {});\n"
            "  test(`subs`, async () => {\n    expect(1).toBe(1);\n  });\n});\n"
        ),
        ["adds", "subs"],
    ),
    "a.spec.ts": ("it('adds', (): void => {\n  expect(1).toBe(1);\n});\nit('x', () => {});\n", ["adds", "x"]),
    "a_test.go": (
        "package a\n\nfunc TestAdd(t *testing.T) {\n\tt.Fatal()\n}\n\nfunc Testify() {}\n\nfunc help() {}\n",
        ["TestAdd"],
    ),
    "ATest.java": (
        (
            "class ATest {\n  @Test\n  void adds() {\n    assertEquals(1, 1);\n  }\n\n  @org.junit.Test void subs() {}\n\n"
            "  void help() {}\n}\n"
        ),
        ["adds", "subs"],
    ),
}


@pytest.mark.parametrize("path", TESTS)
def test_a_test_is_deleted_whole(path: str) -> None:
    text, names = TESTS[path]
    source = source_of(path, text)
    edits = list(deleted_tests(source, names_of_tests(source)))
    assert sorted(names_of_tests(source)) == sorted(names)
    assert len(edits) == len(names)
    for edit, name in zip(edits, names, strict=True):
        data = applied(source, edit)
        assert data is not None
        left = read_source(path, data)
        assert left is not None
        assert names_of_tests(left) >= frozenset(names) - {name} - {"test_two", "test_three"}
        assert name not in names_of_tests(left)
        if path.endswith(".py"):
            ast.parse(data)
            assert b"# One holds.\n" not in data or name != "test_one"
            assert b"@mark\ndef test_one" in data or name == "test_one"


def test_only_tests_that_were_there_before_are_deleted() -> None:
    source = source_of("test_a.py", TESTS["test_a.py"][0])
    (edit,) = deleted_tests(source, frozenset({"test_two", "test_gone"}))
    data = applied(source, edit)
    assert data is not None
    assert b"test_two" not in data
    # A gap has no line: what a diff shows around it stands for it.
    first, last = seeded_lines(data, edit)
    lines = data.decode().split("\n")[first - 1 : last]
    assert "class TestAll:" in lines
    assert "    def test_three(self):" in lines


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.py", b"def f(:\n"),
        ("a.py", b"x = 1\0\n"),
        ("a.rs", b"fn main() {}\n"),
        ("README", b"a < b\n"),
        ("a.py", b"x = 1\n" * 200_000),
    ],
)
def test_what_cannot_be_read_whole_is_left_alone(path: str, data: bytes) -> None:
    assert read_source(path, data) is None


def test_a_mutant_that_would_not_parse_is_none() -> None:
    source = source_of("a.py", "def f():\n    return 1\n")
    assert applied(source, Edit(Defect.OFF_BY_ONE, 0, 3, b"de")) is None
    assert applied(source, Edit(Defect.OFF_BY_ONE, 0, 3, b"def")) is None


def test_a_file_without_a_last_line_end_keeps_its_lines() -> None:
    source = source_of("a.go", "package a\n\nfunc f() {\n\tg()\n\twg.Wait() }")
    (edit,) = removed_waits(source)
    data = applied(source, edit)
    assert data is not None
    first, last = seeded_lines(data, edit)
    assert (first, last) == (2, 5)
