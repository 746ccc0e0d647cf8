"""The API's pull requests, reviews, review comments and check runs."""

from __future__ import annotations

from typing import Any, Final

from bot.simulator.github import effects, effects_pulls, render, render_git, render_pulls
from bot.simulator.github.answer import Answer, Call, Handlers, Refusal, invalid
from bot.simulator.github.api_issues import BODY_CHARACTERS, checked_body
from bot.simulator.github.git_objects import MissingObject
from bot.simulator.github.model import CheckRun, Issue, Pull, Repository, Review, ReviewComment
from bot.simulator.github.resolve import commit_of

HANDLERS: Final = Handlers()
ACTIONS_LIMIT: Final = 3
ACTION_CHARACTERS: Final = {"label": 20, "description": 40, "identifier": 20}


def _full(call: Call, issue: Issue, pull: Pull) -> dict[str, Any]:
    return render_pulls.pull_full(call.world, call.repository, issue, pull)


def _branch_of(call: Call, name: str) -> str | None:
    """The branch that `head` names: with or without our owner; another owner would be a fork, and there are none."""
    owner, colon, branch = name.partition(":")
    if not colon:
        return name
    return branch if owner.casefold() == call.repository.owner.login.casefold() else None


@HANDLERS("pulls/create")
def create_pull(call: Call) -> Answer:
    body, within = call.body, call.repository
    head, base, title = _branch_of(call, body["head"]), body["base"], body.get("title")
    if not title:
        raise invalid("PullRequest", "title", "missing_field")
    if head is None or within.branch(head) is None:
        raise invalid("PullRequest", "head")
    if within.branch(base) is None:
        raise invalid("PullRequest", "base")
    if len(body.get("body") or "") > BODY_CHARACTERS:
        raise invalid("PullRequest", "body", "custom", "body is too long (maximum is 65536 characters)")
    if body.get("draft") and not call.world.drafts_allowed:
        raise Refusal(422, "Draft pull requests are not supported in this repository.")
    if any(one.head == head and one.base == base and issue.state == "open" for issue, one in within.pulls()):
        message = f"A pull request already exists for {within.owner.login}:{head}."
        raise Refusal(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    if _nothing_to_merge(within, head, base):
        message = f"No commits between {base} and {head}"
        raise Refusal(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    issue, pull = effects_pulls.open_pull(
        call.scene, head, base, title, body=body.get("body"), draft=bool(body.get("draft"))
    )
    shown = _full(call, issue, pull)
    return Answer(201, shown, {"Location": shown["url"]})


def _nothing_to_merge(within: Repository, head: str, base: str) -> bool:
    """Whether base holds all of head's commits; a commit that changes no file is a commit all the same."""
    head_sha, base_sha = within.branch(head), within.branch(base)
    return head_sha is not None and base_sha is not None and within.git.is_ancestor(head_sha, base_sha)


@HANDLERS("pulls/get")
def get_pull(call: Call) -> Answer:
    return Answer(200, _full(call, *call.pull))


@HANDLERS("pulls/list")
def list_pulls(call: Call) -> Answer:
    within, state = call.repository, call.query.get("state", "open")
    head = _wanted_head(call)
    found = [
        (issue, pull)
        for issue, pull in within.pulls()
        if state in {"all", issue.state}
        and head in {None, pull.head}
        and call.query.get("base") in {None, pull.base}
        and not call.fresh(issue.created)
    ]
    if call.query.get("direction", "desc") == "desc":
        found.reverse()
    return call.listed(found, lambda pair: render_pulls.pull_simple(call.world, within, *pair))


def _wanted_head(call: Call) -> str | None:
    """The `head` filter. GitHub wants `owner:branch` and ignores the filter without an owner."""
    given = call.query.get("head")
    if given is None or ":" not in given:
        return None
    return _branch_of(call, given) or "\0"


@HANDLERS("pulls/update")
def update_pull(call: Call) -> Answer:
    (issue, pull), body = call.pull, call.body or {}
    if len(body.get("body") or "") > BODY_CHARACTERS:
        raise invalid("PullRequest", "body", "custom", "body is too long (maximum is 65536 characters)")
    if (base := body.get("base")) is not None and base != pull.base:
        sha = call.repository.branch(base)
        if sha is None:
            raise invalid("PullRequest", "base")
        pull.base, pull.base_sha = base, sha
    effects.edit_issue(call.scene, issue, body.get("title"), body.get("body"))
    if "state" in body:
        effects.set_state(call.scene, issue, body["state"])
    return Answer(200, _full(call, issue, pull))


@HANDLERS("pulls/list-files")
def list_files(call: Call) -> Answer:
    _, pull = call.pull
    found = render_pulls.pull_changes(call.repository, pull)
    return call.listed(found, lambda one: render_git.diff_entry(call.world, call.repository, one, pull.head_sha))


@HANDLERS("pulls/list-commits")
def list_commits(call: Call) -> Answer:
    _, pull = call.pull
    git = call.repository.git
    shas = render_pulls.pull_commits(call.repository, pull)
    return call.listed(shas, lambda sha: render_git.commit(call.world, call.repository, git.commit(sha)))


@HANDLERS("pulls/request-reviewers")
def request_reviewers(call: Call) -> Answer:
    issue, pull = call.pull
    for login in (call.body or {}).get("reviewers", []):
        if login.casefold() == issue.user.login.casefold():
            raise Refusal(422, "Review cannot be requested from pull request author.")
        if login.casefold() not in call.world.accounts or call.repository.level(login) == "none":
            raise Refusal(422, "Reviews may only be requested from collaborators.")
    logins = (call.body or {}).get("reviewers", [])
    effects_pulls.request_reviewers(call.scene, issue, pull, logins)
    return Answer(201, render_pulls.pull_simple(call.world, call.repository, issue, pull))


@HANDLERS("pulls/list-requested-reviewers")
def list_reviewers(call: Call) -> Answer:
    _, pull = call.pull
    return Answer(200, {"users": [render.account(call.world, one) for one in pull.reviewers], "teams": []})


# Reviews


def _review(call: Call) -> tuple[Issue, Pull, Review]:
    issue, pull = call.pull
    found = next((one for one in pull.reviews if one.id == int(call.parameters["review_id"])), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return issue, pull, found


def _line_comment(call: Call, issue: Issue, one: ReviewComment) -> dict[str, Any]:
    return render_pulls.review_comment(call.world, call.repository, issue, one)


@HANDLERS("pulls/list-reviews")
def list_reviews(call: Call) -> Answer:
    issue, pull = call.pull
    return call.listed(pull.reviews, lambda one: render_pulls.review(call.world, call.repository, issue, one))


@HANDLERS("pulls/get-review")
def get_review(call: Call) -> Answer:
    issue, _, one = _review(call)
    return Answer(200, render_pulls.review(call.world, call.repository, issue, one))


@HANDLERS("pulls/list-comments-for-review")
def list_comments_of_review(call: Call) -> Answer:
    issue, pull, review = _review(call)
    found = [one for one in pull.comments if one.review == review.id]
    return call.listed(found, lambda one: _line_comment(call, issue, one))


@HANDLERS("pulls/list-review-comments")
def list_review_comments(call: Call) -> Answer:
    issue, pull = call.pull
    found = [one for one in pull.comments if not call.fresh(one.created)]
    return call.listed(found, lambda one: _line_comment(call, issue, one))


@HANDLERS("pulls/create-reply-for-review-comment")
def reply(call: Call) -> Answer:
    issue, pull = call.pull
    to = next((one for one in pull.comments if one.id == int(call.parameters["comment_id"])), None)
    if to is None:
        raise Refusal(404, "Not Found")
    body = checked_body(call.body["body"])
    one = effects_pulls.reply(call.scene, issue, pull, to, body)
    return Answer(201, _line_comment(call, issue, one))


# Check runs


def _run(call: Call) -> CheckRun:
    found = call.repository.checks.get(int(call.parameters["check_run_id"]))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


def _check(call: Call, one: CheckRun) -> dict[str, Any]:
    return render_pulls.check_run(call.world, call.repository, one)


def _check_fields(call: Call, *, creates: bool) -> dict[str, Any]:
    """The body of a create or update, refused where GitHub's own rules go beyond its description."""
    fields: dict[str, Any] = call.body
    if fields.get("status") == "completed" and "conclusion" not in fields:
        raise Refusal(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
    if fields.get("conclusion") == "stale":
        raise invalid("CheckRun", "conclusion")
    if creates and "output" in fields and not fields["output"].get("title"):
        raise Refusal(422, 'Invalid request.\n\n"title" wasn\'t supplied.')
    actions = fields.get("actions", [])
    if len(actions) > ACTIONS_LIMIT:
        raise invalid("CheckRun", "actions", "custom", f"actions are limited to {ACTIONS_LIMIT}")
    for action in actions:
        if any(len(action.get(name, "")) > limit for name, limit in ACTION_CHARACTERS.items()):
            raise invalid("CheckRun", "actions", "custom", "an action's text is too long")
    return fields


@HANDLERS("checks/create")
def create_check(call: Call) -> Answer:
    fields, within = _check_fields(call, creates=True), call.repository
    try:
        within.git.commit(fields["head_sha"])
    except MissingObject as error:
        raise Refusal(422, f"No commit found for SHA: {fields['head_sha']}") from error
    run = effects_pulls.create_check_run(call.scene, call.world.app, fields["name"], fields["head_sha"], fields)
    return Answer(201, _check(call, run))


@HANDLERS("checks/update")
def update_check(call: Call) -> Answer:
    run = _run(call)
    if run.app is not call.world.app:
        why = "check run can only be modified by the GitHub App that created it."
        raise Refusal(403, f"Invalid app_id `{call.world.app.id}` - {why}")
    effects_pulls.update_check_run(call.scene, run, _check_fields(call, creates=False))
    return Answer(200, _check(call, run))


@HANDLERS("checks/get")
def get_check(call: Call) -> Answer:
    return Answer(200, _check(call, _run(call)))


@HANDLERS("checks/list-annotations")
def list_annotations(call: Call) -> Answer:
    run = _run(call)
    return call.listed(run.annotations, lambda one: render_pulls.annotation(call.world, call.repository, run, one))


def _chosen(call: Call, runs: list[CheckRun]) -> list[CheckRun]:
    """The runs that the filters leave; `latest`, the default, keeps the newest of each App and name."""
    query = call.query
    found = [
        one
        for one in runs
        if query.get("check_name") in {None, one.name}
        and query.get("status") in {None, one.status}
        and query.get("app_id") in {None, str(one.app.id)}
        and not call.fresh(one.created)
    ]
    found.sort(key=lambda one: -one.id)
    if query.get("filter", "latest") == "all":
        return found
    newest: dict[tuple[int, str], CheckRun] = {}
    for one in found:
        newest.setdefault((one.app.id, one.name), one)
    return list(newest.values())


@HANDLERS("checks/list-for-ref")
def list_checks(call: Call) -> Answer:
    sha = commit_of(call, call.parameters["ref"])
    runs = [one for one in call.repository.checks.values() if one.head_sha == sha]
    return call.counted("check_runs", _chosen(call, runs), lambda one: _check(call, one))


@HANDLERS("checks/list-for-suite")
def list_checks_of_suite(call: Call) -> Answer:
    suite = int(call.parameters["check_suite_id"])
    runs = [one for one in call.repository.checks.values() if one.suite == suite]
    return call.counted("check_runs", _chosen(call, runs), lambda one: _check(call, one))


@HANDLERS("checks/list-suites-for-ref")
def list_suites(call: Call) -> Answer:
    sha, app_id = commit_of(call, call.parameters["ref"]), call.query.get("app_id")
    found = [
        one for one in call.repository.suites.values() if one.head_sha == sha and app_id in {None, str(one.app.id)}
    ]
    return call.counted("check_suites", found, lambda one: render_pulls.check_suite(call.world, call.repository, one))


@HANDLERS("checks/get-suite")
def get_suite(call: Call) -> Answer:
    found = call.repository.suites.get(int(call.parameters["check_suite_id"]))
    if found is None:
        raise Refusal(404, "Not Found")
    return Answer(200, render_pulls.check_suite(call.world, call.repository, found))
