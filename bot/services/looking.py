"""Jobs of the `github` worker that read: permissions, snapshots, what an approval rests on, what became of a pull request."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.domain.errors import UserError
from bot.domain.facts import ApprovalClaim, ApprovalFacts
from bot.domain.hidden_markup import as_people_see, together, words_as_people_see
from bot.domain.outcome import Done, Outcome
from bot.domain.repo_config import ConfigError, RepoConfig, parse_config
from bot.domain.snapshot import Snapshot
from bot.domain.subject import PlanSubject, canonical, sha256_of
from bot.policy.exposure import exposures
from bot.ports import records as r
from bot.ports.github import FetchedBase, GitHubReader, GitHubRefused, Place, ThreadComment
from bot.services.desk import Desk
from bot.services.documents import document_stage
from bot.services.issue_reading import IssueReading, issue_notes
from bot.wording import reading
from bot.wording.titles import ROW_TRAILER

CONFIG_PATH = ".github/conductor.yml"
INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md")
INSTRUCTION_BYTES = 20_000
GONE = frozenset({301, 404, 410})
"""How GitHub answers for an issue that was deleted or transferred."""


@dataclass(frozen=True, slots=True)
class Looking:
    """Handlers of read jobs. Every one may be run again: it changes nothing but artifacts, which are named by their hash."""

    desk: Desk
    reader: GitHubReader

    @property
    def _issues(self) -> IssueReading:
        return IssueReading(self.reader, self.desk.app_id)

    def permission(self, job: r.Job) -> Outcome:
        """Who sent a delivery, what they may do, which start label and mode are in force, and whether a label is still set."""
        place = self._place(job, int(job.payload["repository_id"]))
        try:
            asked = asked_of(self.reader, place, str(job.payload["login"]))
            if job.payload.get("label") == asked["start_label"]:
                asked["withdrawn"] = self._withdrawn(place, int(job.payload["issue"]), str(asked["start_label"]))
            return Done(asked)
        except GitHubRefused as refused:
            raise UserError(
                f"installation {place.installation_id} cannot read {place.full_name}: {refused.sentence}",
                dict(refused.fields),
            ) from refused

    def _withdrawn(self, place: Place, number: int, label: str) -> bool:
        try:
            issue = self.reader.issue(place, number)
        except GitHubRefused as refused:
            if refused.status not in GONE:
                raise
            return True
        return label.casefold() not in {one.casefold() for one in issue.labels}

    def snapshot(self, job: r.Job) -> Outcome:
        """Base, configuration and issue, taken once (I13). What the repository cannot offer stops the run with a sentence."""
        place = self._place_of_run(job)
        payload = job.payload
        branch = self.reader.default_branch(place)
        with tempfile.TemporaryDirectory(prefix="conductor-snapshot-") as folder:
            fetched = self.reader.fetch_base(place, branch, Path(folder))
            bundle = self.desk.artifacts.put_file(place.installation_id, fetched.bundle)
        self.desk.trees.load(self.desk.artifacts.path(place.installation_id, bundle), fetched.tree)
        text = self._text(fetched, CONFIG_PATH)
        try:
            config = parse_config(text)
        except ConfigError as wrong:
            raise UserError(
                f"{CONFIG_PATH} cannot be used: {'; '.join(f'line {one.line}, column {one.column}: {one.sentence}' for one in wrong.problems)}"
            ) from wrong
        issue = self._issues.read(place, payload)
        instructions, notes = self._instructions(fetched)
        snapshot = Snapshot(
            repository=place.full_name,
            default_branch=branch,
            base_commit=fetched.commit,
            base_tree=fetched.tree,
            bundle_sha256=bundle,
            issue=issue,
            config=config,
            config_text_sha256=sha256_of((text or "").encode("utf-8", "surrogateescape")),
            exposures=exposures(self._workflows(fetched)),
            instructions=instructions,
            submodules=fetched.submodules,
            lfs=fetched.lfs,
            notes=(*issue_notes(issue), *notes, *_notes(fetched)),
            required_checks=self.reader.required_checks(place, branch),
            taken_at=self.desk.clock.now(),
        )
        name = self.desk.artifacts.put(place.installation_id, canonical(snapshot.model_dump(mode="json")))
        return Done({"snapshot": name})

    def _text(self, fetched: FetchedBase, path: str) -> str | None:
        data = self.desk.trees.read(fetched.tree, path)
        return None if data is None else data.decode("utf-8", "replace")

    def _workflows(self, fetched: FetchedBase) -> dict[str, str]:
        found = {}
        for path in self.desk.trees.entries(fetched.tree):
            if path.startswith(".github/workflows/") and path.endswith((".yml", ".yaml")):
                found[path] = self._text(fetched, path) or ""
        return found

    def _instructions(self, fetched: FetchedBase) -> tuple[tuple[tuple[str, str], ...], list[str]]:
        """Agent instruction files, from the default branch alone, without what is hidden in them, and what that was."""
        found, notes = [], []
        for path in INSTRUCTION_FILES:
            text = self._text(fetched, path)
            if text is not None:
                seen = as_people_see(text)
                found.append((path, seen.text[:INSTRUCTION_BYTES]))
                notes += [reading.hidden_text(path, seen.hidden)] if seen.hidden else []
        return tuple(found), notes

    def pull_state(self, job: r.Job) -> Outcome:
        """What became of our pull request and the issue. The issue is read first, because a merge closes it, too."""
        place, payload = self._place_of_run(job), job.payload
        number = int(payload.get("pull") or 0)
        found: dict[str, Any] = {"merged": False, "closed": False, "head": ""}
        if payload.get("closed") == "issue":
            found |= self._issue_state(place, int(payload["issue"]), str(payload.get("label", "")))
        if number:
            pull = self.reader.pull(place, number)
            found |= {"merged": pull.merged, "head": pull.head_sha}
            if payload.get("closed") == "pull":
                found["closed"] = pull.state == "closed" and not pull.merged
            if payload.get("restored"):
                found["ours"] = ROW_TRAILER in str(self.reader.commit(place, pull.head_sha)["message"])
        return Done(found)

    def _issue_state(self, place: Place, number: int, label: str) -> dict[str, bool]:
        """Closed also when it is deleted or went elsewhere; unlabeled not when the label itself is gone or has another name."""
        try:
            issue = self.reader.issue(place, number)
        except GitHubRefused as refused:
            if refused.status not in GONE:
                raise
            return {"closed": True}
        carries = not label or label.casefold() in {one.casefold() for one in issue.labels}
        return {
            "closed": issue.state == "closed",
            "unlabeled": issue.state == "open" and not carries and self.reader.has_label(place, label),
        }

    def approval(self, job: r.Job) -> Outcome:
        """Everything an approval rests on, read at the moment it is used (DESIGN section 4)."""
        place = self._place_of_run(job)
        payload = job.payload
        run = self._run(job)
        snapshot = self.desk.snapshot(run)
        claims = [self._claim(place, payload["claim"])] + [
            self._claim(place, {**one, "named": ""}) for one in payload["partners"]
        ]
        issue = self.reader.issue(place, int(payload["issue"]))
        now_config, config_problem = self._config_now(place)
        approvers, nobody = _stricter(snapshot.config.approvers, now_config.approvers)
        revised = bool(payload.get("revised_by")) and payload["revised_by"] == payload["claim"]["login"]
        facts = ApprovalFacts(
            subject_sha256=str(payload["subject"]),
            named=str(payload["claim"].get("named", "")),
            shown_at=int(payload["shown_at"]),
            other_shown_at=None if revised or payload.get("other_shown_at") is None else int(payload["other_shown_at"]),
            body_problem="" if payload["dry"] else self._shown(place, payload),
            claims=tuple(claims),
            approvers=approvers,
            not_author=snapshot.config.approvals.not_author or now_config.approvals.not_author,
            issue_author_id=snapshot.issue.author_id,
            high_risk=bool(payload["high_risk"]),
            issue_changed=self._issues.changed(place, snapshot, issue),
            base_changed=self._base_changed(place, run, snapshot),
            problems=tuple(one for one in (config_problem, nobody) if one),
        )
        return Done({"facts": facts.model_dump(mode="json")})

    def _config_now(self, place: Place) -> tuple[RepoConfig, str]:
        text = self.reader.file_at(place, CONFIG_PATH, self.reader.default_branch(place))
        try:
            config = parse_config(None if text is None else text.decode("utf-8", "replace"))
        except ConfigError as wrong:
            return parse_config(None), f"{CONFIG_PATH} on the default branch cannot be read now: {wrong}"
        return config, ""

    def _claim(self, place: Place, claim: dict[str, Any]) -> ApprovalClaim:
        level = self.reader.permission(place, str(claim["login"]))
        created, problem = int(claim["at"]), ""
        if claim["source"] == "comment":
            comment = self.reader.comment(place, int(claim["source_id"]))
            problem = _comment_problem(comment, claim)
            created = comment.created_at if comment is not None else created
        return ApprovalClaim(
            source=claim["source"],
            source_id=int(claim["source_id"]),
            user_id=int(claim["user_id"]),
            login=str(claim["login"]),
            is_person=level.user.is_person,
            same_person=level.user.id == int(claim["user_id"]),
            permission=level.permission,
            role_name=level.role_name,
            created_at=created,
            comment_problem=problem,
        )

    def _shown(self, place: Place, payload: dict[str, Any]) -> str:
        """Why GitHub does not show byte for byte what we wrote; empty when it does."""
        if "body" in payload:
            pull = self.reader.pull(place, int(payload["pull"]))
            return (
                ""
                if pull.body == str(payload["body"])
                else "the pull request's text is not what Conductor wrote there; somebody edited it"
            )
        head = str(self._head(place, int(payload["pull"])))
        for check in self.reader.check_runs(place, head, ours=True):
            if int(check["id"]) == int(payload["check_run"]):
                output = check.get("output") or {}
                same = all(str(output.get(part) or "") == str(payload[part]) for part in ("summary", "text"))
                return "" if same else "the check's text is not what Conductor wrote there"
        return "the check that showed the diff is gone"

    def _head(self, place: Place, pull: int) -> str:
        return self.reader.pull(place, pull).head_sha

    def _base_changed(self, place: Place, run: r.Run, snapshot: Snapshot) -> tuple[str, ...]:
        """Paths named in steps or grounds that the default branch changed since the snapshot."""
        head = self.reader.ref(place, snapshot.default_branch)
        if head is None or head == snapshot.base_commit:
            return ()
        with self.desk.storage.read() as tx:
            row = tx.journal.subject(run.id, document_stage(tx, run).name)
        if row is None:
            return ()
        plan = PlanSubject.model_validate(self.desk.load(run, row.sha256)).plan
        named = plan.paths | {one.path for one in plan.grounds}
        return tuple(sorted(named & set(self.reader.changed_paths(place, snapshot.base_commit, head))))

    def feedback(self, job: r.Job) -> Outcome:
        """A person's review, or a failing check that counts, as findings."""
        place = self._place_of_run(job)
        payload = job.payload
        if payload["source"] == "check":
            return self._check_feedback(place, job)
        found = []
        hidden: dict[str, int] = {}
        for comment in self.reader.review_comments(place, int(payload["pull"]), int(payload["review_id"])):
            seen = as_people_see(str(comment.get("body") or ""))
            body, hidden = seen.text, together(hidden, seen.hidden)
            found.append(
                {
                    "source": "human",
                    "by": payload["by"],
                    "title": _first_line(body),
                    "claim": body,
                    "path": str(comment.get("path") or ""),
                    "line": comment.get("line"),
                }
            )
        review = as_people_see(str(payload["body"] or ""))
        if payload["state"] == "changes_requested" and review.text.strip():
            hidden = together(hidden, review.hidden)
            found.insert(
                0,
                {
                    "source": "human",
                    "by": payload["by"],
                    "title": _first_line(review.text),
                    "claim": review.text,
                    "path": "",
                },
            )
        if payload["state"] == "changes_requested" and not found:
            found.append(
                {
                    "source": "human",
                    "by": payload["by"],
                    "title": "Changes were requested",
                    "claim": "The review asks for changes and says nothing more.",
                    "path": "",
                }
            )
        return Done({"findings": found, "hidden": hidden})

    def _check_feedback(self, place: Place, job: r.Job) -> Outcome:
        """Only checks that branch protection requires or ``ci`` names, and only where the same check did not fail on base."""
        payload, run = job.payload, self._run(job)
        snapshot = self.desk.snapshot(run)
        name = str(payload["name"])
        if name not in {*snapshot.config.ci, *snapshot.required_checks}:
            return Done({"findings": [], "why": f"{name} is neither required nor named by ci"})
        base = self.reader.check_runs(place, snapshot.base_commit, name=name)
        if any(str(one.get("conclusion")) not in {"success", "neutral", "skipped", "None"} for one in base):
            return Done({"findings": [], "why": f"{name} fails on base, too"})
        log = words_as_people_see(self.reader.check_log(place, int(payload["check_run_id"])))
        text = self.desk.redactor.redact(log.text).text
        title = f"The check {name} ended {payload['conclusion']}"
        said = {"source": "ci", "check": name, "title": title, "claim": _ends(text), "path": ""}
        return Done({"findings": [said], "hidden": dict(log.hidden)})

    def _run(self, job: r.Job) -> r.Run:
        with self.desk.storage.read() as tx:
            run = tx.runs.get(job.run_id or "")
        assert run is not None, f"job {job.id} belongs to no run"
        return run

    def _place_of_run(self, job: r.Job) -> Place:
        return self._place(job, self._run(job).repository_id)

    def _place(self, job: r.Job, repository_id: int) -> Place:
        with self.desk.storage.read() as tx:
            repository = tx.places.repository(repository_id)
        assert repository is not None, f"job {job.id} names repository {repository_id}, which no delivery told of"
        return Place(job.installation_id, repository_id, repository.full_name)


def _ends(text: str, limit: int = 4_000) -> str:
    """A log's beginning, and three times as much of its end, where the failure stands: ``limit`` characters at most."""
    if len(text) <= limit:
        return text
    gap = "\n[...]\n"
    start = limit // 4
    return text[:start] + gap + text[start + len(gap) - limit :]


def asked_of(reader: GitHubReader, place: Place, login: str) -> dict[str, Any]:
    """Who somebody is and what they may do, and which start label and mode are in force: what `Asked.from_json` reads."""
    level = reader.permission(place, login)
    label, mode = _in_force(reader.file_at(place, CONFIG_PATH, reader.default_branch(place)))
    return {
        "user_id": str(level.user.id),
        "login": level.user.login,
        "kind": level.user.kind,
        "permission": level.permission,
        "role_name": level.role_name,
        "start_label": label,
        "mode": mode,
    }


def _in_force(text: bytes | None) -> tuple[str, str]:
    """Start label and mode; a configuration that cannot be read starts by the default ones and then says so on the run."""
    try:
        config = parse_config(None if text is None else text.decode("utf-8", "replace"))
    except ConfigError:
        config = parse_config(None)
    return str(config.start_label), str(config.mode)


def _stricter(then: Sequence[str], now: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Who may approve by both lists (an empty one allows everybody), and why nobody may. GitHub's logins ignore case."""
    if not then or not now:
        return tuple(now or then), ""
    kept = {login.casefold() for login in now}
    both = tuple(sorted(login for login in then if login.casefold() in kept))
    if both:
        return both, ""
    return both, f"nobody is among the approvers of {CONFIG_PATH} both when the run began and now"


def _comment_problem(comment: ThreadComment | None, claim: dict[str, Any]) -> str:
    if comment is None:
        return "the approving comment is gone"
    if comment.author.id != int(claim["user_id"]):
        return "the approving comment is by somebody else"
    if comment.updated_at > comment.created_at:
        return "the approving comment was edited; write a new one"
    return ""


def _first_line(text: str) -> str:
    line = next((one.strip() for one in text.splitlines() if one.strip()), "A comment without words")
    return line[:180]


def _notes(fetched: FetchedBase) -> tuple[str, ...]:
    found = []
    if fetched.submodules:
        found.append(f"{len(fetched.submodules)} submodule(s) stay pointers: agents do not see their files.")
    if fetched.lfs:
        found.append(f"{len(fetched.lfs)} LFS file(s) stay pointers: agents see the pointer, not the content.")
    return tuple(found)
