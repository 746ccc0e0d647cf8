"""Scenarios: the format of DESIGN section 11 is read whole, and what is wrong is said with its place."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest

from bot.domain.positioned_yaml import MAX_DEPTH, YamlProblem, read_yaml
from bot.domain.schema_problems import Problem
from bot.simulator import acts, script
from bot.simulator.repo_source import RepoFile, RepoFiles, RepoFolder
from bot.simulator.scenario import GithubFault, KillFault, ScenarioError, load_scenario, parse_scenario

FULL = r"""
repo: {path: ./calc}
issue: {number: 7, title: Wrong sum, body: It is wrong., author: mallory}
people: {ana: maintain, mallory: read, "helper[bot]": write}
config: {rounds: 2, protected: [on, "yes"]}
model:
  planner:        [{tool: read_file, input: {path: calc.py}}, {tool: submit_plan, input: {summary: on}}]
  plan_reviewer:  [[{text: one}], [{text: two}]]
  plan_reviewer.2: [{tools: [{tool: a, input: {}}, {tool: b}]}]
  implementer:    {S1: [{text: s1}], S2: [[{text: r1}], [{text: r2}]]}
  code_reviewer:  [{error: 529}, {delay_s: 2, text: late}, {error: 429, retry_after: 3, times: 2}, {refusal: true}]
people_do:
  - {when: start, label: conductor, by: ana}
  - {when: plan.approval, comment: /conductor approve, by: ana, where: pull}
  - {when: plan.approval, unlabel: conductor, by: ana}
  - {when: start, edit_comment: {match: approve, body: no}, by: ana}
  - {when: start, edit_issue: {title: other}, by: mallory}
  - {when: in_review, edit_pull: {body: other}, by: ana}
  - {when: in_review, review: {state: request_changes, body: no, comments: [{path: a.py, line: 3, body: why}]}, by: ana}
  - {when: plan.approval, press: Approve, by: ana}
  - {when: in_review, push: {branch: main, files: {a: b, gone: null, l: {link: a}}}, by: ana}
  - {when: in_review, close: true, by: ana}
  - {when: in_review, merge: , by: ana}
  - {when: in_review, delete_comment: approve, by: ana}
  - {when: in_review, permission: {ana: read}}
  - {when: in_review, deliver: {event: issues, payload: {}, signature: bad, times: 2}}
check_runs: [{name: ci, conclusion: failure, log: ./ci.log, when: in_review}]
faults:
  - {github: "POST /repos/*/issues/*/comments", status: 502, after_effect: true, times: 2}
  - {kill: agents, when: code.draft}
until: {state: [in_review], seconds: 60}
"""
SMALL = "repo: {files: {}}\nissue: {title: t, author: ana}\n"


def full(folder: Path) -> Path:
    (folder / "calc").mkdir()
    (folder / "ci.log").write_text("red", "utf-8")
    path = folder / "scenario.yml"
    path.write_text(FULL, "utf-8")
    return path


def test_the_whole_format_is_read(tmp_path: Path) -> None:
    scenario = load_scenario(full(tmp_path))
    assert scenario.repo == RepoFolder((tmp_path / "calc").resolve())
    assert scenario.permission_of("ana") == "maintain"
    assert scenario.permission_of("stranger") == "none"
    assert read_yaml(scenario.config_text() or "").data == {"rounds": 2, "protected": ["on", "yes"]}
    assert [type(act) for act in scenario.people_do] == [
        acts.Label,
        acts.Comment,
        acts.Unlabel,
        acts.EditComment,
        acts.EditIssue,
        acts.EditPull,
        acts.Review,
        acts.Press,
        acts.Push,
        acts.Close,
        acts.Merge,
        acts.DeleteComment,
        acts.Grant,
        acts.Deliver,
    ]
    review = scenario.people_do[6]
    assert isinstance(review, acts.Review)
    assert (review.where, review.review.state) == ("pull", "changes_requested")
    assert scenario.pushed[8] == {"a": RepoFile("100644", b"b"), "gone": None, "l": RepoFile("120000", b"a")}
    assert scenario.log_of(scenario.check_runs[0]) == "red"
    fault, kill = scenario.faults
    assert isinstance(fault, GithubFault)
    assert isinstance(kill, KillFault)
    assert fault.matches("post", "/repos/a/b/issues/7/comments")
    assert not fault.matches("POST", "/repos/a/b/issues/7/labels")
    assert scenario.until.state == ("in_review",)


def test_what_is_left_out_has_a_default() -> None:
    scenario = parse_scenario(SMALL, Path("scenario.yml"))
    assert scenario.repo == RepoFiles({})
    assert (scenario.issue.number, scenario.issue.body, scenario.config_text()) == (1, "", None)
    assert scenario.script is None
    assert (scenario.until.state, scenario.until.seconds) == (("in_review",), 60)


def test_files_of_every_form() -> None:
    text = SMALL.replace(
        "files: {}", 'files: {a: t, "b c\\n": {base64: /w==}, l: {link: ../x}, x: {mode: 755, text: e}, e: ""}'
    )
    repo = parse_scenario(text, Path("s.yml")).repo
    assert isinstance(repo, RepoFiles)
    assert repo.files == {
        "a": RepoFile("100644", b"t"),
        "b c\n": RepoFile("100644", b"\xff"),
        "l": RepoFile("120000", b"../x"),
        "x": RepoFile("100755", b"e"),
        "e": RepoFile("100644", b""),
    }


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        ("people_do:\n- {when: start, label: x, by: a}\n- {when: plan.aproval, comment: y, by: a}", "people_do[1].when: There is no state 'plan.aproval'; did you mean 'plan.approval'?"),
        ("people_do: [{when: start, lable: x, by: a}]", "people_do[0]: This act does lable; did you mean 'label'?"),
        ("people_do: [{when: start, label: x, comment: y, by: a}]", "people_do[0]: This act does label, comment;"),
        ("people_do: [{when: start, label: x}]", "people_do[0].by: The key 'by' is missing."),
        ("people_do: [{when: start, merge: true, where: issue}]", "people_do[0].where:"),
        ("people_do: [{when: start, review: {state: nice}, by: a}]", "people_do[0].review.state:"),
        ("people_do: [{when: start, push: {files: {../a: x}}}]", "people_do[0].push.files.../a:"),
        ("modle: {}", "modle: The key 'modle' is not known here; did you mean 'model'?"),
        ("model: {planer: [{text: x}]}", "model.planer: The key 'planer' is not known here; did you mean 'planner'?"),
        ("model: {planner: [{tol: x}]}", "model.planner[0]: A reply needs one of error, refusal, tools, tool, text"),
        ("model: {planner: [[{text: x}], {text: y}]}", "model.planner: Replies and lists of replies are mixed"),
        ("model: {planner: []}", "model.planner: This must be a list of replies"),
        ("model: {planner: {S1: [{text: x}]}}", "model.planner: Only ['implementer'] can have replies by step"),
        ("model: {implementer: {one: [{text: x}]}}", "model.implementer.one: A step is named S1"),
        ("model: {planner: [[{text: x}], [{tool: a, input: 3}]]}", "model.planner[1][0].input: This must be a mapping"),
        ("faults: [{github: 'POST /x'}]", "faults[0]: Give a status or hang_s"),
        ("faults: [{kill: web, when: start}]", "faults[0].when: There is no state 'start'"),
        ("check_runs: [{name: ci, conclusion: failure, log: no.log}]", "check_runs[0].log: There is no file 'no.log'"),
        ("until: {state: in_reviews}", "until.state[0]: There is no state 'in_reviews'; did you mean 'in_review'?"),
        ("people: {ana: owner}", "people.ana:"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(addition: str, sentence: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SMALL + addition + "\n", Path("/any/scenario.yml"))
    assert caught.value.sentence.startswith(f"scenario.yml: {sentence}")
    assert caught.value.exit_code == 2
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("repo: {path: nowhere}\nissue: {title: t, author: a}", "There is no folder 'nowhere'"),
        ("repo: {path: /\nissue: 1", "s.yml:2:6: "),
        ("repo: {files: {a: 1}}\nissue: {title: t, author: a}", "repo.files.a: A file is a text"),
        ("repo: {files: {a: {link: b, mode: 644}}}\nissue: {title: t, author: a}", "repo.files.a: The mode '644'"),
        ("repo: {files: {a: {base64: '!'}}}\nissue: {title: t, author: a}", "repo.files.a.base64: This is not base64"),
        ("repo: {}\nissue: {title: t, author: a}", "repo: A scenario needs a repository"),
        ("- 1", "a scenario is a mapping"),
        ("", "a scenario is a mapping"),
        ("issue: &a [*a]", "stands inside what it names"),
    ],
)
def test_a_bad_document_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, Path("s.yml"))
    assert sentence in caught.value.sentence


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("issue: {titel: t, author: a}\nrepo: {files: {}}\nuntil: {seconds: -1}\n", Path("s.yml"))
    assert [line.split(":")[1].strip() for line in caught.value.problems] == [
        "issue.title",
        "issue.titel",
        "until.seconds",
    ]


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "no.yml")
    (tmp_path / "bad.yml").write_bytes(b"a: \xff")
    with pytest.raises(ScenarioError, match="not UTF-8 at byte 3"):
        load_scenario(tmp_path / "bad.yml")


def caller(role: str = "planner", round_: int = 1, step: str = "-") -> script.Caller:
    return script.Caller("r1", role, round_, step, "j1")


def text_of(made: script.Script, who: script.Caller, turns: int, used: Counter[script.ErrorUse] | None = None) -> str:
    counts = Counter[script.ErrorUse]() if used is None else used
    chosen = made.reply(who, turns, counts.__getitem__)
    if chosen.use is not None:
        counts[chosen.use] += 1
    match chosen.reply:
        case script.TextOnly(text=text):
            return text
        case script.ErrorReply(error=status):
            return str(status)
        case other:
            raise AssertionError(other)


def made(text: str) -> script.Script:
    problems: list[Problem] = []
    found = script.read_script(read_yaml(text).data, (), problems)
    assert problems == []
    return found


def test_the_last_reply_repeats_and_a_repeated_request_gets_the_same() -> None:
    one = made("planner: [{text: a}, {text: b}]")
    assert [text_of(one, caller(), turns) for turns in (0, 0, 1, 2, 9)] == ["a", "a", "b", "b", "b"]


def test_rounds_steps_and_seats() -> None:
    one = made(
        "plan_reviewer: [[{text: r1}], [{text: r2}]]\nplan_reviewer.2: [{text: two}]\n"
        "implementer: {S1: [{text: s1}], S2: [[{text: s2r1}], [{text: s2r2}]]}"
    )
    assert [text_of(one, caller("plan_reviewer.1", n), 0) for n in (1, 2, 3)] == ["r1", "r2", "r2"]
    assert text_of(one, caller("plan_reviewer.2", 3), 0) == "two"
    assert [text_of(one, caller("implementer", n, s), 0) for n, s in ((2, "S1"), (1, "S2"), (2, "S2"))] == [
        "s1",
        "s2r1",
        "s2r2",
    ]
    with pytest.raises(script.NoReply, match="for step 'S3'"):
        text_of(one, caller("implementer", 1, "S3"), 0)
    with pytest.raises(script.NoReply, match="no replies for 'planner'"):
        text_of(one, caller(), 0)


def test_errors_are_used_up_once_per_turn() -> None:
    one = made("planner: [{error: 529}, {text: a}, {error: 429, times: 2}, {error: 500}, {text: b}, {error: 503}]")
    used = Counter[script.ErrorUse]()
    assert [text_of(one, caller(), 0, used) for _ in range(3)] == ["529", "a", "a"]
    assert [text_of(one, caller(), 1, used) for _ in range(5)] == ["429", "429", "500", "b", "b"]
    assert [text_of(one, caller(), 2, used) for _ in range(2)] == ["503", "b"]
    assert text_of(one, caller(round_=2), 0, used) == "529"


def test_nothing_but_errors_repeats() -> None:
    one = made("planner: [{error: 500}, {error: 529}]")
    used = Counter[script.ErrorUse]()
    assert [text_of(one, caller(), 0, used) for _ in range(4)] == ["500", "529", "529", "529"]


@pytest.mark.parametrize(
    "user_id", ["", "r:planner:0:-:j", "r:planner:1:-", "r:planner.0:1:-:j", "r:planner:1:S1:j:x", "r:pl an:1:-:j"]
)
def test_a_caller_that_is_none(user_id: str) -> None:
    assert script.parse_caller(user_id) is None


def test_a_caller() -> None:
    assert script.parse_caller("r-1:plan_reviewer.2:3:-:j9") == script.Caller("r-1", "plan_reviewer.2", 3, "-", "j9")


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 5_000,
        "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"{y}: &{y} [{','.join(['*' + x] * 10)}]\n" for x, y in zip("abcdefg", "bcdefgh", strict=True)),
        "!!python/object/apply:os.system [id]",
        "a: 1\na: 2",
        "<<: {a: 1}",
        "? [a]\n: 1",
        "--- 1\n--- 2",
        "a: *nowhere",
        "a: \x07",
        "a: \ud800",
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str, fast: bool) -> None:
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text, fast=fast)
    assert caught.value.position.line >= 1
    assert len(caught.value.sentence) < 400


def test_words_of_yaml_1_1_are_text() -> None:
    data = read_yaml(
        "on: off\nyes: No\nt: 12:30\nd: 2026-01-01\no: 0o17\nx: 0x1f\nz: 007\nn: ~\nq: '1'\ne: 1e999999\n"
    ).data
    assert data == {
        "on": "off",
        "yes": "No",
        "t": "12:30",
        "d": "2026-01-01",
        "o": 15,
        "x": 31,
        "z": 7,
        "n": None,
        "q": "1",
        "e": "1e999999",
    }
