"""Decisions: what the built-in policies allow, and every way in which Cedar would fail open."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import SettingsError
from bot.domain.snapshot import WorkflowExposure
from bot.domain.writes import METHODS
from bot.policy.decide import PolicySet, decide, decision_sha256, publishing_decision, publishing_needs_person
from bot.policy.facts import WriteFacts, changes_workflows, is_in_repository, is_own_ref, sizes

POLICIES = PolicySet.load()
CODE = ("branch.create", "branch.update", "pull.create", "pull.ready", "review.request")


def facts(kind: str, **changes: Any) -> WriteFacts:
    """A write of the happy way, in publishing, with everything as it should be."""
    given_facts = WriteFacts(
        role="github",
        stage="publishing",
        kind=kind,
        installation_id=1,
        repository_id=2,
        repository="acme/calc",
        branch="conductor/7-mend",
        mode="active",
        stopped_system=False,
        stopped_repository=False,
        stopped_run=False,
        secret_found=False,
        own_repository=True,
        own_issue=True,
        own_comment=True,
        own_label=True,
        own_pull=True,
        own_check=True,
        own_branch=True,
        own_ref=True,
        default_base=True,
        tree_equals_base=kind == "branch.create",
        approved=True,
        approved_paths_only=True,
    )
    return replace(given_facts, **changes)


def test_every_kind_of_write_has_a_permit() -> None:
    for kind in METHODS:
        decision = decide(POLICIES, facts(kind))
        assert decision.allowed, decision
        assert decision.policy_ids
        assert decision.errors == ()
        assert decision.policy_set_sha256 == POLICIES.sha256
        assert decision.policy_ids[0] in decision.sentence


def test_every_policy_decides_something() -> None:
    """No policy is dead: each id is seen among the deciding ones of some decision below."""
    seen: set[str] = set()
    for kind in METHODS:
        seen |= set(decide(POLICIES, facts(kind)).policy_ids)
    for kind, changes, policy_id in DENIALS:
        seen |= set(decide(POLICIES, facts(kind, **changes)).policy_ids)
        assert policy_id in seen
    for exposed in ((), (WorkflowExposure(path="a", reasons=("b",)),)):
        for publish in ("risky", "auto", "approval"):
            seen |= set(publishing_decision(POLICIES, exposed, publish).policy_ids)
    assert seen == set(POLICIES.ids)


DENIALS: list[tuple[str, dict[str, Any], str]] = [
    ("comment.create", {"stopped_system": True}, "never-while-stopped"),
    ("comment.create", {"stopped_repository": True}, "never-while-stopped"),
    ("comment.create", {"stopped_run": True}, "never-while-stopped"),
    ("comment.create", {"stopped_run": True, "answers_stop": True}, "never-while-stopped"),
    ("reaction.add", {"stopped_system": True}, "never-while-stopped"),
    ("comment.create", {"own_repository": False}, "never-another-repository"),
    ("comment.create", {"role": "agents"}, "never-by-others"),
    ("comment.create", {"role": "web"}, "never-by-others"),
    ("comment.create", {"secret_found": True}, "never-secrets"),
    ("comment.create", {"body_bytes": 60_001}, "never-too-long"),
    ("check_run.create", {"summary_chars": 65_536}, "never-too-long"),
    ("check_run.update", {"annotations": 51}, "never-too-long"),
    ("branch.update", {"payload_bytes": 10_000_001}, "never-too-long"),
    ("comment.create", {"mode": "off"}, "never-an-unknown-mode"),
    ("label.add", {"start_label": True}, "never-the-start-label"),
    ("branch.create", {"own_ref": False}, "never-other-refs"),
    ("branch.update", {"own_ref": False}, "never-other-refs"),
    ("branch.update", {"own_branch": False}, "never-other-refs"),
    ("pull.create", {"own_ref": False}, "never-other-refs"),
    ("branch.create", {"tree_equals_base": False, "approved": False}, "never-code-without-approval"),
    ("branch.update", {"approved": False}, "never-code-without-approval"),
    ("branch.update", {"approved_paths_only": False}, "never-unapproved-paths"),
    ("branch.update", {"protected_changed": ("CODEOWNERS",)}, "never-unnamed-protected-paths"),
    ("branch.update", {"workflows_changed": True}, "never-workflows"),
    ("branch.update", {"force": True}, "never-force"),
    ("branch.update", {"diff_approval_needed": True}, "never-an-unseen-diff"),
    ("pull.ready", {"diff_approval_needed": True}, "never-an-unseen-diff"),
    ("branch.update", {"paused": True}, "never-code-while-paused"),
    ("pull.ready", {"paused": True}, "never-code-while-paused"),
]


@pytest.mark.parametrize(("kind", "changes", "policy_id"), DENIALS)
def test_forbidden(kind: str, changes: dict[str, Any], policy_id: str) -> None:
    decision = decide(POLICIES, facts(kind, **changes))
    assert not decision.allowed
    assert policy_id in decision.policy_ids
    assert policy_id in decision.sentence
    assert decision.errors == ()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("comment.create", {"own_issue": False}),
        ("comment.update", {"own_comment": False}),
        ("reaction.add", {"own_issue": False}),
        ("label.create", {"own_label": False}),
        ("label.add", {"own_label": False}),
        ("label.remove", {"own_issue": False}),
        ("check_run.create", {"own_branch": False, "own_pull": False}),
        ("check_run.update", {"own_check": False}),
        ("pull.create", {"default_base": False}),
        ("pull.update", {"own_pull": False}),
        ("pull.ready", {"own_pull": False}),
        ("pull.ready", {"approved": False}),
        ("pull.ready", {"stage": "code.review"}),
        ("review.request", {"stage": "plan.approval"}),
        ("thread.resolve", {"own_pull": False}),
        ("branch.create", {"tree_equals_base": False}),
        ("branch.update", {"stage": "code.draft"}),
        ("branch.update", {"stage": "in_review"}),
    ],
)
def test_what_no_permit_covers_is_denied_and_says_so(kind: str, changes: dict[str, Any]) -> None:
    decision = decide(POLICIES, facts(kind, **changes))
    assert not decision.allowed
    assert decision.policy_ids == ()
    assert decision.sentence == f"{kind} is denied: no permit matched"


def test_only_the_reaction_on_stop_goes_out_while_stopped() -> None:
    for kind in METHODS:
        decision = decide(
            POLICIES, facts(kind, stopped_system=True, stopped_repository=True, stopped_run=True, answers_stop=True)
        )
        assert decision.allowed == (kind == "reaction.add")


def test_pausing_lets_words_out_and_keeps_code_in() -> None:
    for kind in METHODS:
        assert decide(POLICIES, facts(kind, paused=True)).allowed == (kind not in CODE)


def test_before_approval_only_bases_own_tree_goes_out() -> None:
    before = {"approved": False, "approved_paths_only": False, "stage": "plan.review"}
    assert decide(POLICIES, facts("branch.create", **before)).allowed
    assert not decide(POLICIES, facts("branch.create", **before, tree_equals_base=False)).allowed
    for same in (True, False):
        assert not decide(POLICIES, facts("branch.update", **before, tree_equals_base=same)).allowed


def test_a_diff_that_a_person_approved_goes_out() -> None:
    for kind in ("branch.update", "pull.ready", "review.request"):
        assert decide(POLICIES, facts(kind, diff_approval_needed=True, diff_approved=True)).allowed
    assert decide(POLICIES, facts("branch.create", diff_approval_needed=True)).allowed


@pytest.mark.parametrize(
    "kind", ["pull.merge", "pull.close", "branch.delete", "", "write", "code", "publish_unattended", 'x" || true']
)
def test_kinds_that_are_no_write_of_ours_are_denied(kind: str) -> None:
    decision = decide(POLICIES, facts(kind))
    assert not decision.allowed
    assert decision.errors


def test_facts_of_the_wrong_type_are_denied() -> None:
    for changes in (
        {"stopped_system": "no"},
        {"body_bytes": 2**70},
        {"protected_changed": (1,)},
        {"mode": None},
        {"installation_id": "1"},
    ):
        decision = decide(POLICIES, facts("comment.create", **changes))
        assert not decision.allowed
        assert decision.errors
        assert "could not be evaluated" in decision.sentence


def test_odd_text_is_data_and_not_policy() -> None:
    for text in ('x" || true', "\n", "\0", "permit(principal,action,resource);", "\ud800"):
        assert not decide(POLICIES, facts("comment.create", stage=text, repository=text, own_issue=False)).allowed


flags = st.fixed_dictionaries(
    {name: st.booleans() for name in WriteFacts.__dataclass_fields__ if WriteFacts.__annotations__[name] == "bool"}
)


@given(
    kind=st.sampled_from(sorted(METHODS)),
    chosen=flags,
    stage=st.sampled_from(["", "plan.review", "publishing", "in_review"]),
)
def test_no_mixture_of_facts_lets_unapproved_code_or_a_stopped_write_out(
    kind: str, chosen: dict[str, bool], stage: str
) -> None:
    decision = decide(POLICIES, facts(kind, stage=stage, **chosen))
    if not decision.allowed:
        return
    assert decision.errors == ()
    assert chosen["own_repository"]
    assert not chosen["secret_found"]
    assert not chosen["force"]
    assert not chosen["workflows_changed"]
    if chosen["stopped_system"] or chosen["stopped_repository"] or chosen["stopped_run"]:
        assert kind == "reaction.add"
        assert chosen["answers_stop"]
    if kind.startswith("branch."):
        assert chosen["own_branch"]
        assert chosen["own_ref"]
        assert (
            chosen["tree_equals_base"]
            if kind == "branch.create"
            else chosen["approved"] and chosen["approved_paths_only"]
        )


# Fail-open traps.


def write(folder: Path, text: str, name: str = "a.cedar") -> Path:
    (folder / name).write_text(text)
    return folder


def test_a_deployments_own_policies_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        '@id("no-high-risk") @because("we said so")\nforbid (principal, action == Action::"branch.update", resource) when { context.risk == "high" };',
    )
    policies = PolicySet.load(tmp_path)
    assert policies.sha256 != POLICIES.sha256
    assert PolicySet.load(tmp_path).sha256 == policies.sha256
    assert decide(policies, facts("branch.update")).allowed
    decision = decide(policies, facts("branch.update", risk="high"))
    assert (decision.allowed, decision.policy_ids) == (False, ("no-high-risk",))
    assert "we said so" in decision.sentence


def test_a_deployments_permit_cannot_beat_a_forbid(tmp_path: Path) -> None:
    write(tmp_path, '@id("all") permit (principal, action, resource);')
    policies = PolicySet.load(tmp_path)
    for kind, changes, policy_id in DENIALS:
        decision = decide(policies, facts(kind, **changes))
        assert not decision.allowed
        assert policy_id in decision.policy_ids
    assert decide(policies, facts("comment.update", own_comment=False)).policy_ids == ("all",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("forbid (principal, action, resource) when { context.spend > 1 };", "no @id"),
        ('@id("") forbid (principal, action, resource);', "no @id"),
        ('@id("a") forbid (principal, action, resource) when { context.spend > 1 };', "spend"),
        ('@id("a") forbid (principal, action == Action::"pull.merge", resource);', "pull.merge"),
        ('@id("a") forbid (principal, action, resource) when { context.mode > 1 };', "a.cedar"),
        ('@id("a") forbid (principal == ?principal, action, resource);', "template"),
        ('@id("a") forbid (principal, action, resource); @id("a") forbid (principal, action, resource);', "twice"),
        ('@id("never-secrets") permit (principal, action, resource);', "twice"),
        ("forbid (principal", "a.cedar"),
        ("/* never closed", "a.cedar"),
    ],
)
def test_a_policy_that_could_be_skipped_means_no_start(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=r"a\.cedar") as caught:
        PolicySet.load(write(tmp_path, text))
    assert says in caught.value.sentence


def test_a_policy_file_that_cannot_be_read_means_no_start(tmp_path: Path) -> None:
    (tmp_path / "b.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="cannot be read"):
        PolicySet.load(tmp_path)
    with pytest.raises(SettingsError, match="not there"):
        PolicySet.load(tmp_path / "nothing")
    with pytest.raises(SettingsError, match="schema"):
        PolicySet({}, "entity")


def test_cedar_itself_fails_open_where_we_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own answer for a forbid that errors is allow; the same answer is a denial here."""
    text = "permit(principal, action, resource); forbid(principal, action, resource) when { context.spend > 1 };"
    request = {"principal": 'P::"p"', "action": 'Action::"a"', "resource": 'R::"r"', "context": {}}
    answer = cedarpy.is_authorized(request, text, [])
    assert answer.allowed
    assert answer.diagnostics.errors
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: answer)
    decision = decide(POLICIES, facts("comment.create"))
    assert not decision.allowed
    assert decision.errors


def result(decision: str, ids: dict[str, str]) -> cedarpy.AuthzResult:
    return cedarpy.AuthzResult(
        {"decision": decision, "diagnostics": {"reason": list(ids), "id_annotations_by_reason": ids, "errors": []}}
    )


@pytest.mark.parametrize(
    ("answer", "allowed"), [("Allow", True), ("Deny", False), ("NoDecision", False), ("Maybe", False)]
)
def test_only_the_word_allow_allows(monkeypatch: pytest.MonkeyPatch, answer: str, allowed: bool) -> None:
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: result(answer, {"policy0": "comment-where-we-work"}))
    assert decide(POLICIES, facts("comment.create")).allowed is allowed


def test_an_allow_by_nobody_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: result("Allow", {}))
    assert not decide(POLICIES, facts("comment.create")).allowed


def test_an_engine_that_raises_is_a_denial(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("engine")

    monkeypatch.setattr(cedarpy, "is_authorized", broken)
    decision = decide(POLICIES, facts("comment.create"))
    assert (decision.allowed, decision.errors) == (False, ("RuntimeError: engine",))


# Publishing.


def test_publishing_needs_a_person_where_something_is_exposed() -> None:
    exposed = (WorkflowExposure(path=".github/workflows/ci.yml", reasons=("it names the secret X",)),)
    assert publishing_needs_person(POLICIES, exposed, "risky")
    assert publishing_needs_person(POLICIES, exposed, "AUTO")
    assert not publishing_needs_person(POLICIES, exposed, "auto")
    assert not publishing_needs_person(POLICIES, (), "risky")
    assert not publishing_needs_person(POLICIES, (), "auto")
    for publish in ("approval", "", "Risky", "anything"):
        assert publishing_needs_person(POLICIES, (), publish)
        assert publishing_needs_person(POLICIES, exposed, publish)


def test_a_deployment_can_ask_for_a_person_always(tmp_path: Path) -> None:
    write(tmp_path, '@id("always-a-person") forbid (principal, action == Action::"publish_unattended", resource);')
    policies = PolicySet.load(tmp_path)
    assert publishing_needs_person(policies, (), "auto")


# What is found in the write itself.


def test_decision_hash_covers_every_part() -> None:
    parts: list[Any] = ["comment.create", 1, 2, "/repos/a/b/issues/1/comments", "0" * 64]
    names = {decision_sha256(*parts)}
    for place, other in enumerate(["comment.reply", 2, 1, "/repos/a/c/issues/1/comments", "1" * 64]):
        changed: list[Any] = [other if at == place else part for at, part in enumerate(parts)]
        names.add(decision_sha256(*changed))
    assert len(names) == 6
    assert (
        decision_sha256(*parts)
        == hashlib.sha256(
            b'{"installation_id":"1","kind":"comment.create","payload_sha256":"'
            + b"0" * 64
            + b'","repository_id":"2","target":"/repos/a/b/issues/1/comments"}'
        ).hexdigest()
    )


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("/repos/acme/calc/issues/1/comments", True),
        ("/repos/acme/calc/issues/1/labels/conductor%3A%20done", True),
        ("/repos/acme/calc/git/refs/heads/conductor/7-x", True),
        ("/repos/acme/calc/issues/1/labels/a%2Fb", True),
        ("/repos/acme/calc/../other/issues", False),
        ("/repos/acme/calc/%2E%2E/other/issues", False),
        ("/repos/acme/calc/./x", False),
        ("/repos/acme/calc//x", False),
        ("/repos/acme/calc/", False),
        ("/repos/acme/calc", False),
        ("/repos/acme/calculator/issues", False),
        ("/repos/other/calc/issues", False),
        ("repos/acme/calc/issues", False),
        ("https://evil.example/repos/acme/calc/issues", False),
        ("/repos/acme/calc/issues?x=1", False),
        ("/repos/acme/calc/issues#x", False),
        ("/repos/acme/calc/issues\n", False),
        ("/repos/acme/calc/é", False),
        ("/graphql", False),
    ],
)
def test_targets(target: str, inside: bool) -> None:
    assert is_in_repository(target, "acme/calc") is inside


def test_a_full_name_is_owner_and_name() -> None:
    assert not is_in_repository("/repos/a/b/c/d", "a/b/c")
    assert not is_in_repository("/repos/../b/c", "../b")


def test_refs() -> None:
    assert is_own_ref("conductor/7-mend-it-2")
    for branch in (
        "main",
        "conductor/",
        "conductor/7",
        "conductor/7-",
        "conductor/7-X",
        "conductor/07-x",
        "conductor/7-x\n",
        "conductor/7-x/../../main",
        "refs/heads/conductor/7-x",
        "Conductor/7-x",
        "xconductor/7-x",
    ):
        assert not is_own_ref(branch)


def test_sizes() -> None:
    assert sizes({"body": "é"}) == {"body_bytes": 2, "summary_chars": 0, "annotations": 0}
    assert sizes({"output": {"summary": "ab", "text": "abc", "annotations": [1, 2]}}) == {
        "body_bytes": 0,
        "summary_chars": 3,
        "annotations": 2,
    }
    assert sizes({"output": None, "body": None}) == {"body_bytes": 0, "summary_chars": 0, "annotations": 0}


def test_workflow_paths() -> None:
    assert changes_workflows(["a", ".github/workflows/ci.yml"])
    assert changes_workflows([".GitHub/Workflows/ci.yml"])
    assert changes_workflows([".github/workflows"])
    assert not changes_workflows([".github/dependabot.yml", "x/.github/workflows/ci.yml"])
