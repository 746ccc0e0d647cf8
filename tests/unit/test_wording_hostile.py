"""Whatever models, issues and people write: our texts order nothing, ping nobody else, hide nothing and keep their form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.commands import Misread, parse_commands
from bot.domain.hidden_characters import hidden_characters, strip_hidden
from bot.domain.plan import Plan
from bot.domain.subject import PlanSubject, canonical
from bot.domain.workflow import SOFTWARE
from bot.wording import bodies, checks, labels, layout, mentions, replies, titles
from bot.wording.ledger_table import ledger_table
from bot.wording.status import RunView, status_comment
from bot.wording.view import FindingView

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OUR_HTML = re.compile(r"</?(details|sub|br)>|<summary>[A-Za-z0-9 :(),]+</summary>|\n")
HASH = "0123456789abcdef" * 4
# Large texts take long to shrink; the failing example itself says enough.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)

pieces = st.one_of(
    st.sampled_from(
        [
            *(
                "/conductor approve",
                "\n/conductor approve\n",
                "\n\n/conductor stop",
                "@ana",
                "#1",
                "fixes #1",
                "|",
                "\\|",
            ),
            *("</details>", "<details>", "<!--", "-->", "```", "\n```\n", "`", "\\", "<br>", "\n\n", "\n", " ", "---"),
            *(
                "https://x.example/|a",
                "![a](https://x.example/b)",
                "[a](b)",
                "\u202e",
                "\u200b",
                "日本",
                "### Your decision",
            ),
        ]
    ),
    st.text(max_size=12),
)
hostile = st.lists(pieces, min_size=1, max_size=8).map("".join).map(lambda text: text or "x")


@dataclass(frozen=True)
class Run:
    id: str = "r7k2"
    state: str = "needs_human"
    spent_micro_dollars: int = 1
    budget_micro_dollars: int = 2
    halt_reason: str = ""
    known: dict[str, Any] = field(default_factory=lambda: {"pull": 8})


def subject_of(text: str, *, many: int = 2, risk: str = "high") -> PlanSubject:
    line = text[:200]
    path = text[:1_000]
    plan = {
        "summary": text,
        "acceptance": [
            {"id": f"A{n}", "text": text, "proof": {"test": line} if n % 2 else {"command": text[:2_000]}}
            for n in range(1, many + 1)
        ],
        "steps": [
            {
                "id": f"S{n}",
                "title": line,
                "intent": text,
                "paths": [{"path": path, "use": "edit"}, {"path": f"src/{n}.py", "use": "create"}],
                "covers": [f"A{n}"],
            }
            for n in range(1, many + 1)
        ],
        "grounds": [{"path": path, "start_line": 1, "end_line": 2, "quote": text}] * many,
        "verify": [text[:2_000]],
        "tests": [{"path": path, "change": "skip", "why": text}] * many,
        "risks": [{"text": text, "mitigation": text}] * many,
        "out_of_scope": [text] * many,
    }
    return PlanSubject(
        plan=Plan.model_validate(plan),
        blobs={},
        verify=(text,),
        setup=(text,),
        config_sha256=HASH,
        risk=risk,
        risk_reasons=(text,) * many,
        issue_sha256=HASH,
        budget_micro_dollars=10_000_000,
    )


def finding_of(text: str, number: int = 1, **changes: Any) -> FindingView:
    finding = FindingView(
        id=f"F{number}",
        status="open",
        severity="major",
        category="security",
        title=text,
        claim=text,
        reason=text,
        raised_by=(text, "code_reviewer.1"),
        source="reviewer",
        round=1,
        path=text,
        start_line=1,
        end_line=2,
        quote=text,
        suggestion=text,
    )
    return replace(finding, **changes)


def view_of(text: str, state: str) -> RunView:
    stage = state.partition(".")[0] if "." in state else ""
    return RunView("r7k2", state, False, text, stage, 2, text, 1, 2, 3, 4, 5, "0479b718", "active", (text,) * 20, "")


def findings_of(text: str) -> list[FindingView]:
    return [finding_of(text), finding_of(text, 2, status="withdrawn"), finding_of(text, 3, path="", pointer=text)]


def summaries(fields: dict[str, Any]) -> str:
    return str(fields["output"]["summary"])


def annotations_of(findings: Sequence[FindingView], paths: Mapping[str, int]) -> list[dict[str, Any]]:
    return [checks.annotation(one) for one in checks.annotatable(findings, paths)]


def plan_body(text: str, many: int = 2) -> str:
    return bodies.plan_body(
        subject_of(text, many=many), issue=7, run_id="r7k2", findings=findings_of(text), spent=1, notes=(text,) * many
    )


def result_body(text: str, many: int = 2) -> str:
    told = [(f"S{n}", text) for n in range(1, many + 1)]
    return bodies.result_body(
        subject_of(text, many=many),
        issue=7,
        run_id="r7k2",
        findings=findings_of(text),
        summaries=told,
        notes=(text,) * many,
        approver=text,
    )


TOLD: dict[str, Callable[[str], str]] = {
    "plan_body": plan_body,
    "result_body": result_body,
    "table": lambda text: ledger_table(findings_of(text)),
    "misread": lambda text: replies.misread(Misread(text, "A problem.", "A hint.")),
    "status": lambda text: replies.status(Run(halt_reason=text), 3),
    "cost": lambda text: replies.cost(Run(id=text), 3),
    "running": lambda text: replies.already_running(text, "queued"),
    "nothing": lambda text: replies.nothing_to_approve(Run(id=text)),
    "no revise": lambda text: replies.cannot_revise(Run(id=text)),
    "no retry": lambda text: replies.cannot_retry(Run(id=text)),
    "over": lambda text: replies.already_over(Run(id=text)),
    "settled": lambda text: replies.finding_not_settled(text, text),
    "second": replies.second_approval_needed,
    "refused": lambda text: replies.approval_refused(text, "plan", [text, text]),
    "lost": lambda text: replies.not_taken_in("The review", text),
    "outside": lambda text: replies.outside_plan([text] * 30),
    "fixed": lambda _: "\n\n".join(
        (replies.no_run(), replies.needs_maintain(), replies.help_text(), replies.too_many_starts(1))
    ),
    "halted": lambda text: mentions.for_state("needs_human", requester="bob", issue=7, pull=8, why=text),
    "waiting": lambda text: summaries(checks.plan_waiting(subject_of(text), HASH)),
    "diff": lambda text: summaries(checks.diff_waiting(HASH, text)),
    "approved": lambda text: summaries(checks.plan_approved(subject_of(text), HASH, text)),
    "closed": lambda text: summaries(checks.plan_closed(text)),
    "foreign": lambda text: summaries(checks.not_reviewed(text)),
    "ledger": lambda text: summaries(checks.ledger(findings_of(text), over=text)),
    **{
        f"comment {state}": (lambda text, state=state: status_comment(view_of(text, state)))  # type: ignore[misc]
        for state in SOFTWARE.states
    },
}


def parts(markdown: str) -> list[Token]:
    flat: list[Token] = []
    for token in GFM.parse(markdown):
        flat.append(token)
        flat += token.children or []
    return flat


def words(markdown: str) -> str:
    kept = [
        t.content if t.type in {"text", "code_inline", "fence"} else " " for t in parts(markdown) if t.type != "inline"
    ]
    return " ".join("".join(kept).split())


@pytest.mark.parametrize("name", sorted(TOLD))
@settings(max_examples=40, deadline=None, phases=UNSHRUNK)
@given(text=hostile)
def test_no_text_orders_pings_or_hides(name: str, text: str) -> None:
    said = TOLD[name](text)
    assert parse_commands(said) == []
    assert hidden_characters(said.replace("\ufe0f", "")) == []
    for token in parts(said):
        assert token.type not in {"link_open", "image"}, said
        if token.type in {"html_block", "html_inline"}:
            assert OUR_HTML.sub("", token.content) == "", said
        if token.type == "text":
            others = token.content.replace("@bob", "").replace("#7", "").replace("#8", "").replace("#5", "")
            assert not re.search(r"@[A-Za-z0-9_-]|#[0-9]|://", others), said


@settings(max_examples=60, deadline=None, phases=UNSHRUNK)
@given(text=hostile)
def test_rows_of_the_ledger_keep_their_cells(text: str) -> None:
    tokens = GFM.parse(ledger_table(findings_of(text)))
    rows = sum(token.type == "tr_open" for token in tokens)
    assert rows == 1 + 3
    assert sum(token.type in {"td_open", "th_open"} for token in tokens) == 8 * rows


@settings(max_examples=10, deadline=None, phases=UNSHRUNK)
@given(text=hostile, times=st.integers(1, 60), many=st.integers(0, 12))
def test_a_plan_is_decided_on_in_400_words_and_nothing_of_it_is_lost(text: str, times: int, many: int) -> None:
    long = (f"{text} " * times)[:3_900]
    subject = subject_of(long, many=many)
    body = bodies.plan_body(
        subject, issue=7, run_id="r", findings=findings_of(long) * many, spent=1, notes=(long,) * many
    )
    head = body.partition("\n<details>\n<summary>")[0]
    assert layout.word_count(head) <= bodies.WORDS
    assert len(head.split()) <= bodies.WORDS
    assert head.splitlines().count("### Your decision") == 1
    assert f"`/conductor approve {subject.sha256[:8]}`" in head
    assert f"`{subject.sha256}`" in head
    assert head.rstrip().endswith("Closes #7")
    # Blanks aside: a quote keeps its line breaks, a line of a list does not.
    shown, whole = "".join(words(body).split()), "".join(strip_hidden(long).split())
    assert shown.count(whole) >= 1 + 6 * many


def test_long_plans_fold_the_rest_visibly() -> None:
    text = "Every one of these words tells the reader something about what will be done here. " * 20
    body = plan_body(text, many=20)
    head = body.partition("\n<details>\n<summary>")[0]
    assert "more, folded below*" in head
    for title in (
        "What and why, in full",
        "Risk: high, in full",
        "Acceptance criteria (20), in full",
        "Notes, in full",
    ):
        assert f"<summary>{title}</summary>" in body


def test_tests_that_are_skipped_are_said_before_the_fold() -> None:
    head = plan_body("words").partition("<details>")[0]
    assert "2 test files will be deleted or skipped." in head


def test_findings_leave_the_plan_its_room_and_are_cut_visibly() -> None:
    many = [finding_of("a long claim " * 30, n) for n in range(1, 900)]
    body = bodies.plan_body(subject_of("word " * 40), issue=7, run_id="r", findings=many, spent=1, notes=())
    assert layout.size(body) <= 60_000
    assert "more findings left out" in body
    assert bodies.plan_body_bytes(subject_of("word " * 40), issue=7, run_id="r", notes=()) < 60_000


@pytest.mark.parametrize("text", ["short", "long words that go on " * 150, "é" * 3_900])
def test_a_result_always_fits(text: str) -> None:
    body = result_body(text, many=30)
    assert layout.size(body) <= 60_000
    assert "Closes #7" in body


def test_unproven_claims_are_counted_and_never_shown() -> None:
    claims = [finding_of("slander", 1, unproven=True, status="withdrawn", reason="unproven"), finding_of("real", 2)]
    fields = checks.ledger(claims, over="")
    annotations = annotations_of(claims, {"slander": 9, "real": 9})
    plan = bodies.plan_body(subject_of("words"), issue=7, run_id="r", findings=claims, spent=1, notes=())
    for said in (ledger_table(claims), summaries(fields), plan, str(annotations)):
        assert "slander" not in said
    assert [one["path"] for one in annotations] == ["real"]
    assert "1 claim could not be proved" in summaries(fields)
    assert checks.ledger(claims[:1], over="")["conclusion"] == "success"
    assert annotations_of(claims[:1], {"slander": 9}) == []


@pytest.mark.parametrize(
    ("status", "over", "conclusion"),
    [("open", "", "failure"), ("fixed", "", "success"), ("open", "by ana", "cancelled"), ("strange", "", "failure")],
)
def test_the_ledger_check_succeeds_only_with_none_open(status: str, over: str, conclusion: str) -> None:
    fields = checks.ledger([finding_of("a", status=status)], over=over)
    assert fields["conclusion"] == conclusion


@pytest.mark.parametrize(
    ("path", "start", "end", "stands"),
    [
        ("a", 1, 3, True),
        ("a", 3, 3, True),
        ("a", 3, 4, False),
        ("a", 0, 0, False),
        ("a", 3, 2, False),
        ("b", 1, 1, False),
    ],
)
def test_annotations_stand_only_at_places_that_exist(path: str, start: int, end: int, stands: bool) -> None:
    finding = finding_of("a", path=path, start_line=start, end_line=end)
    assert bool(annotations_of([finding], {"a": 3})) is stands


def test_the_ledger_check_fits_however_many_findings_there_are() -> None:
    many = [finding_of("|" * 300 + "é" * 300, n) for n in range(1, 500)]
    fields, annotations = checks.ledger(many, over="x" * 5_000), annotations_of(many, {many[0].path: 5})
    assert len(summaries(fields)) <= checks.LIMIT
    assert "more findings left out" in summaries(fields)
    assert len(annotations) == len(many)
    canonical([fields, annotations])


def unfenced(part: str) -> str:
    found = re.search(r"^(`{3,})diff\n(.*)\n\1$", part, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[2]


@pytest.mark.parametrize("lines", [1, 1_000, 2_600])
def test_a_diff_is_shown_whole(lines: int) -> None:
    diff = "".join(f"+{n} ```` some text of this line is here\n" for n in range(lines))
    output = checks.diff_waiting(HASH, diff)["output"]
    shown = [output["summary"], *([output["text"]] if "text" in output else [])]
    assert all(len(part) <= checks.LIMIT for part in shown)
    assert "\n".join(unfenced(part) for part in shown) + "\n" == diff
    assert ("in the details" in output["summary"]) is (len(shown) == 2)


@pytest.mark.parametrize("diff", ["+line\n" * 40_000, "+" + "x" * 100_000, "+\u202e" * 60_000])
def test_a_diff_too_large_is_refused_and_has_no_button_to_approve_it(diff: str) -> None:
    fields = checks.diff_waiting(HASH, diff)
    assert fields["conclusion"] == "action_required"
    assert "too large" in summaries(fields)
    assert "+x" not in summaries(fields)
    assert [action["identifier"] for action in fields["actions"]] == ["cancel"]


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\U000e0041", "\r", "\x1b"])
def test_a_diff_hides_no_character(sign: str) -> None:
    said = summaries(checks.diff_waiting(HASH, f"+a{sign}b\n"))
    assert f"+a<U+{ord(sign):04X}>b" in said
    assert "cannot be seen" in said


def test_buttons_keep_to_what_github_takes() -> None:
    for fields in (checks.plan_waiting(subject_of("a"), HASH), checks.diff_waiting(HASH, "+a\n")):
        for action in fields["actions"]:
            assert len(action["label"]) <= 20
            assert len(action["identifier"]) <= 20
            assert len(action["description"]) <= 40


@settings(max_examples=80, deadline=None, phases=UNSHRUNK)
@given(title=hostile, login=hostile, number=hostile)
def test_titles_and_commit_messages_are_fixed_sentences(title: str, login: str, number: str) -> None:
    token = "ab" * 16
    assert re.fullmatch(r"Issue #7: [A-Za-z0-9 .,:()/_-]{1,72}", titles.pull(7, title))
    for message in (titles.plan_commit(7, title, token), titles.code_commit(7, title, token, login, number)):
        first, blank, _, gap, *trailers = message.split("\n")
        assert (blank, gap) == ("", "")
        assert re.fullmatch(r"(Plan for|Implement) issue #7: [A-Za-z0-9 .,:()/_-]{1,72}", first)
        assert trailers[0] == f"Conductor-Row: {token}"
        assert len(trailers) == 1 or re.fullmatch(r"Co-authored-by: [A-Za-z0-9-]+ <[0-9]+\+\S+>", trailers[1])
        assert len(trailers) <= 2


@settings(max_examples=80, deadline=None, phases=UNSHRUNK)
@given(login=hostile)
def test_only_a_login_is_mentioned(login: str) -> None:
    said = mentions.for_state("in_review", requester=login, issue=7, pull=8, why="")
    tokens = [token for token in parts(said) if token.type == "text"]
    mentioned = [name for token in tokens for name in re.findall(r"@([A-Za-z0-9-]+)", token.content)]
    assert mentioned in ([], [login])


@pytest.mark.parametrize("state", SOFTWARE.states)
def test_people_are_called_only_when_they_must_act(state: str) -> None:
    said = mentions.for_state(state, requester="ana", issue=7, pull=0, why="")
    acts = state.endswith(".approval") or state in {"needs_human", "in_review"}
    assert said.startswith("@ana ") is acts
    assert bool(said) is acts


def test_the_status_comment_changes_only_with_what_is_real() -> None:
    view = replace(view_of("a", "code.draft"), spent=1_010_000, budget=10_000_000)
    assert status_comment(replace(view, spent=1_490_000)) == status_comment(view)
    for changed in (
        replace(view, spent=1_510_000),
        replace(view, state="code.review"),
        replace(view, round=3),
        replace(view, open_findings=9),
        replace(view, pull=6),
        replace(view, plan_hash="12345678"),
        replace(view, paused=True),
    ):
        assert status_comment(changed) != status_comment(view)


@pytest.mark.parametrize("state", SOFTWARE.states)
@pytest.mark.parametrize("paused", [True, False])
def test_every_state_has_at_most_one_label_that_can_be_created(state: str, paused: bool) -> None:
    label = labels.phase(state, paused=paused)
    assert (label == "") is (state == "cancelled")
    assert (label == labels.PAUSED) is (paused and state not in {"done", "cancelled"})
    if label:
        color, description = labels.PHASES[label]
        assert re.fullmatch(r"[0-9a-f]{6}", color)
        assert len(description) <= 100
        assert len(label) <= 50


def test_words_are_counted_by_length_where_nothing_parts_them() -> None:
    assert layout.word_count("one two  three") == 3
    assert layout.word_count("x" * 81) == 3
    assert layout.word_count("日本語日") == 2
    assert layout.word_count(layout.brief("word " * 90, 20)) <= 20
    assert layout.brief("word " * 90, 20).endswith("word…")
    assert layout.brief("short", 20) == "short"
