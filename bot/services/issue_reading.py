"""The issue as a run may know it: as it stood when the label was set, by whom, and without what its readers do not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.domain.events import Actor
from bot.domain.hidden_markup import as_people_see, together, words_as_people_see
from bot.domain.snapshot import IssueSnapshot, Snapshot, SnapshotComment
from bot.ports.github import GitHubReader, IssueState, Permission, Place
from bot.wording import reading

SUSPICIOUS_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class IssueReading:
    """Reads issues for snapshots and approvals. ``app_id``: our own App's number, whose comments are left out."""

    reader: GitHubReader
    app_id: int

    def read(self, place: Place, payload: dict[str, Any]) -> IssueSnapshot:
        """The issue as the label's delivery showed it; after a revise, as it is now when somebody with write permission wrote it."""
        number, at = int(payload["number"]), int(payload["at"])
        author = str(payload["author"])
        can_write = self.reader.permission(place, author).can_write
        title, body, updated = str(payload["title"]), str(payload["body"] or ""), int(payload["issue_updated_at"])
        suspicious = self._suspicious(place, number, at)
        if payload.get("again"):
            now = self.reader.issue(place, number)
            if self._only_writers_edited(place, number, updated):
                title, body, updated = now.title, now.body, now.updated_at
        comments, left_out, hidden = self._comments(place, number, at)
        heading, words = words_as_people_see(title), as_people_see(body)
        return IssueSnapshot(
            number=number,
            title=heading.text,
            body=words.text,
            author=author,
            author_id=int(payload["author_id"]),
            author_can_write=can_write,
            updated_at=updated,
            comments=comments,
            left_out=left_out,
            suspicious_edit=suspicious,
            hidden=together(heading.hidden, words.hidden, hidden),
        )

    def _comments(self, place: Place, number: int, at: int) -> tuple[tuple[SnapshotComment, ...], int, dict[str, int]]:
        """Comments that stood unchanged when the label was set, by people with write permission; the others are counted.

        Also what was hidden in those that are kept.
        """
        kept: list[SnapshotComment] = []
        hidden: dict[str, int] = {}
        left_out = 0
        levels: dict[str, bool] = {}
        for comment in self.reader.issue_comments(place, number):
            if comment.app_id == self.app_id:
                continue
            login = comment.author.login
            if login not in levels:
                levels[login] = comment.author.is_person and self.reader.permission(place, login).can_write
            if (
                levels[login]
                and comment.created_at <= at
                and comment.updated_at <= at
                and not comment.body.startswith("/conductor")
            ):
                seen = as_people_see(comment.body)
                hidden = together(hidden, seen.hidden)
                kept.append(SnapshotComment(author=login, body=seen.text, created_at=comment.created_at))
            elif not comment.body.startswith("/conductor"):
                left_out += 1
        return tuple(kept), left_out, hidden

    def _suspicious(self, place: Place, number: int, at: int) -> bool:
        for editor, when in self.reader.issue_edits(place, number, since=at - SUSPICIOUS_MS):
            if when <= at and not self.reader.permission(place, editor.login).can_write:
                return True
        return False

    def _only_writers_edited(self, place: Place, number: int, since: int) -> bool:
        edits = self.reader.issue_edits(place, number, since=since)
        return all(self.reader.permission(place, editor.login).can_write for editor, _ in edits)

    def changed(self, place: Place, snapshot: Snapshot, issue: IssueState) -> tuple[str, ...]:
        """What somebody with write permission changed since the snapshot; edits by others void nothing."""
        title_same = words_as_people_see(issue.title).text == snapshot.issue.title
        body_same = as_people_see(issue.body).text == snapshot.issue.body
        if title_same and body_same:
            return ()
        edits = self.reader.issue_edits(place, snapshot.issue.number, since=snapshot.issue.updated_at)
        editors = {editor.login: editor for editor, _ in edits}
        writers = sorted(login for login, editor in editors.items() if self._can_write(place, editor))
        if editors and not writers:
            return ()
        names = [name for name, same in (("title", title_same), ("body", body_same)) if not same]
        return tuple(f"{name} (by {', '.join(writers) or 'somebody GitHub does not name'})" for name in names)

    def _can_write(self, place: Place, who: Actor) -> bool:
        level: Permission = self.reader.permission(place, who.login)
        return level.can_write


def issue_notes(issue: IssueSnapshot) -> list[str]:
    """What people should know of how the issue was read."""
    hidden = [reading.hidden_text("the issue and its comments", issue.hidden)] if issue.hidden else []
    left_out = [reading.comments_left_out(issue.left_out)] if issue.left_out else []
    author = [] if issue.author_can_write else [reading.issue_by_reader(issue.author)]
    return [*hidden, *author, *left_out]
