"""Which workflows make publishing risky."""

from __future__ import annotations

import pytest

from bot.policy.exposure import exposures

HEAD = "on: [push]\njobs:\n  t:\n    runs-on: ubuntu-latest\n"


def reasons(text: str, path: str = ".github/workflows/ci.yml") -> tuple[str, ...]:
    found = exposures({path: text})
    return found[0].reasons if found else ()


@pytest.mark.parametrize(
    "on",
    [
        "push",
        "[push]",
        "{push: {branches: [main]}}",
        "pull_request",
        "pull_request_target",
        "[workflow_dispatch, pull_request]",
        "workflow_call",
        "workflow_run",
        "{PUSH: null}",
    ],
)
@pytest.mark.parametrize("key", ["on", "'on'", "true", "On"])
def test_starts_that_count(on: str, key: str) -> None:
    assert reasons(f"{key}: {on}\njobs: {{t: {{runs-on: self-hosted}}}}\n") == (
        "it may run on a self-hosted runner (self-hosted)",
    )


@pytest.mark.parametrize(
    "on", ["workflow_dispatch", "schedule", "[release]", "{issues: {types: [opened]}}", "[]", "{}"]
)
def test_starts_that_do_not_count(on: str) -> None:
    assert reasons(f"on: {on}\njobs: {{t: {{runs-on: self-hosted, env: {{X: '${{{{ secrets.X }}}}'}}}}}}\n") == ()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("    env: {T: '${{ secrets.NPM_TOKEN }}'}\n", "it names the secret NPM_TOKEN"),
        ("    steps: [{run: 'echo ${{secrets.a}}'}]\n", "it names the secret a"),
        ("    steps: [{if: \"secrets.a != ''\"}]\n", "it names the secret a"),
        ('    steps: [{if: "always() && secrets.a"}]\n', "it names the secret a"),
        ("    steps: [{with: {t: \"${{ SECRETS['A B'] }}\"}}]\n", "it names the secret A?B"),
        ("    steps: [{with: {t: '${{ secrets[matrix.x] }}'}}]\n", "it reads secrets by a computed name"),
        ("    steps: [{with: {t: '${{ toJSON(secrets) }}'}}]\n", "it reads secrets by a computed name"),
        ("    secrets: inherit\n", "it hands secrets to another workflow"),
        ("    environment: production\n", "it names an environment"),
        ("    environment: {name: x}\n", "it names an environment"),
        ("    permissions: write-all\n", "it has the permission write-all"),
        ("    permissions: {contents: read, packages: write}\n", "it has the permission packages: write"),
        ("    permissions: {id-token: '${{ x }}'}\n", "it has the permission id-token: ????x???"),
    ],
)
def test_what_a_workflow_can_hold(more: str, reason: str) -> None:
    assert reason in reasons(HEAD + more)


def test_permissions_of_the_whole_workflow() -> None:
    assert reasons("permissions: {contents: write}\n" + HEAD) == ("it has the permission contents: write",)
    assert reasons("permissions: [x]\n" + HEAD) == ("it has the permission ??x??",)


@pytest.mark.parametrize(
    "runs_on",
    [
        "self-hosted",
        "[self-hosted, linux]",
        "'${{ matrix.os }}'",
        "{group: big}",
        "[ubuntu-latest, gpu]",
        "my-ubuntu-latest",
        "ubuntu-mine",
        "",
        "[]",
    ],
)
def test_runners_that_may_be_somebodys(runs_on: str) -> None:
    assert reasons(f"on: push\njobs:\n  t:\n    runs-on: {runs_on}\n")


@pytest.mark.parametrize(
    "runs_on", ["ubuntu-latest", "ubuntu-24.04-arm", "[windows-2022]", "macos-15", "macos-latest-xlarge", "ubuntu-slim"]
)
def test_githubs_own_runners(runs_on: str) -> None:
    assert reasons(f"on: push\njobs:\n  t:\n    runs-on: {runs_on}\n") == ()


def test_a_harmless_workflow() -> None:
    more = "    permissions: {contents: read, issues: none}\n    steps:\n    - {run: make test, env: {T: '${{ secrets.GITHUB_TOKEN }}'}}\n    - run: echo secrets are fine\n"
    assert reasons("permissions: read-all\n" + HEAD + more) == ()
    assert reasons("permissions: {}\n" + HEAD) == ()
    assert reasons("on: push\njobs: {t: {uses: ./.github/workflows/x.yml}}\n") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "- a",
        "a: &a [*a]",
        "jobs: {}",
        "on: 5\njobs: {}",
        "on: [5]\njobs: {}",
        "on: push\n'on': push\njobs: {}",
        "on: push",
        "on: push\njobs: []",
        "on: push\njobs: {t: 1}",
        "on: push\n? [a]\n: b",
        "on: push\nx: !!python/object/apply:os.system ['true']",
        "on: push\na: &a {b: 1}\njobs: {t: {<<: *a}}",
        "[" * 50_000,
        "on: push\njobs: {}\n#" + "x" * 1_000_000,
    ],
)
def test_what_cannot_be_read_counts(text: str) -> None:
    assert len(reasons(text)) == 1


def test_merge_bombs_end_at_once() -> None:
    lines = ["on: push", "a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    assert reasons("\n".join(lines)) == ("it does not parse as a workflow",)


def test_alias_bombs_are_walked_once() -> None:
    lines = ["a0: &a0 ['${{ secrets.X }}']"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert reasons("\n".join([*lines, HEAD])) == ("it names the secret X",)


def test_a_value_that_holds_itself_is_walked_once() -> None:
    assert reasons("x: &x [*x]\n" + HEAD) == ()


def test_other_files_are_no_workflows_and_order_is_by_path() -> None:
    files = {
        ".github/workflows/b.yaml": "on: push",
        ".github/workflows/a.yml": "on: push",
        ".github/workflows/sub/c.yml": "on: push",
        ".github/workflows/readme.md": "on: push",
        "x/.github/workflows/d.yml": "on: push",
    }
    assert [one.path for one in exposures(files)] == [".github/workflows/a.yml", ".github/workflows/b.yaml"]
