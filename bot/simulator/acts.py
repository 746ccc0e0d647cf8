"""What people do in a scenario, in order: one frozen model per act (DESIGN section 11, ``people_do``)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from bot.domain.positioned_yaml import Path
from bot.domain.schema_problems import Problem, nearest, problems_of
from bot.domain.workflow import WORKFLOWS
from bot.simulator.script import Part

START: Final = "start"
Permission = Literal["none", "read", "triage", "write", "maintain", "admin"]
Login = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})(?:\[bot\])?$")]
Where = Literal["issue", "pull"]


def known_states() -> tuple[str, ...]:
    """Every state of every workflow."""
    return tuple(dict.fromkeys(state for workflow in WORKFLOWS.values() for state in workflow.states))


def _state(value: str) -> str:
    if value in known_states():
        return value
    meant = nearest(value, known_states())
    hint = f"did you mean {meant!r}?" if meant else f"states are: {', '.join(known_states())}."
    raise ValueError(f"There is no state {value[:80]!r}; {hint}")


def _moment(value: str) -> str:
    return value if value == START else _state(value)


State = Annotated[str, AfterValidator(_state)]
Moment = Annotated[str, AfterValidator(_moment)]
"""A state, or ``start``: before anything happened."""


class Act(Part):
    """``when``: the run's state that the act waits for. ``where``: the issue, or the run's pull request.

    ``by``: a login; None, where who did it decides nothing, is the repository's owner.
    """

    when: Moment
    by: Login | None = None
    where: Where = "issue"


class OnPull(Act):
    """An act that only a pull request takes."""

    where: Literal["pull"] = "pull"


class Label(Act):
    """Sets a label."""

    by: Login
    label: Annotated[str, Field(min_length=1, max_length=50)]


class Unlabel(Act):
    """Removes a label."""

    by: Login
    unlabel: Annotated[str, Field(min_length=1, max_length=50)]


class Comment(Act):
    """Writes a comment."""

    by: Login
    comment: str


class CommentEdit(Part):
    """The newest comment that contains ``match`` gets ``body``."""

    match: Annotated[str, Field(min_length=1)]
    body: str


class EditComment(Act):
    """Edits a comment, anybody's."""

    edit_comment: CommentEdit


class Texts(Part):
    """New title or body or both."""

    title: str | None = None
    body: str | None = None

    @model_validator(mode="after")
    def _something(self) -> Texts:
        if not self.model_fields_set:
            raise ValueError("Give a title or a body.")
        return self


class EditIssue(Act):
    """Edits the issue's title or body."""

    edit_issue: Texts


class EditPull(OnPull):
    """Edits the pull request's title or body."""

    edit_pull: Texts


class ReviewComment(Part):
    """A review comment at a line of a file."""

    path: str
    line: Annotated[int, Field(ge=1)]
    body: str
    side: Literal["LEFT", "RIGHT"] = "RIGHT"
    start_line: Annotated[int, Field(ge=1)] | None = None


ReviewState = Literal["approved", "changes_requested", "commented"]
_REVIEW_WORDS: Final[dict[str, ReviewState]] = {
    "approve": "approved",
    "approved": "approved",
    "request_changes": "changes_requested",
    "changes_requested": "changes_requested",
    "comment": "commented",
    "commented": "commented",
}


class SubmittedReview(Part):
    """A submitted review; ``state`` in GitHub's words, of the event or of the result, in any case."""

    state: ReviewState
    body: str = ""
    comments: tuple[ReviewComment, ...] = ()

    @field_validator("state", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        return _REVIEW_WORDS.get(value.lower().replace(" ", "_"), value) if isinstance(value, str) else value


class Review(OnPull):
    """Submits a review on the pull request."""

    by: Login
    review: SubmittedReview


class Press(OnPull):
    """Presses the button of that label or identifier on one of our checks."""

    by: Login
    press: Annotated[str, Field(min_length=1, max_length=20)]


class PushedFiles(Part):
    """Files to commit on ``branch`` (None: the pull request's head); a null text deletes. ``force`` rewrites the branch."""

    branch: str | None = None
    files: dict[str, Any] = Field(default_factory=dict)
    message: str = "Change files"
    force: bool = False


class Push(Act):
    """Pushes a commit."""

    push: PushedFiles


class Close(Act):
    """Closes the issue, or the pull request without merging it."""

    close: Literal[True] = True

    @field_validator("close", mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return True if value is None else value


class Merge(OnPull):
    """Merges the pull request, which closes the issue it names."""

    merge: Literal[True] = True

    @field_validator("merge", mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return True if value is None else value


class CommentMatch(Part):
    """The newest comment that contains ``match``; "" is any."""

    match: str = ""


class DeleteComment(Act):
    """Deletes the newest comment that contains a text: ``{match}``, the text alone, or nothing for the newest of all."""

    delete_comment: CommentMatch

    @field_validator("delete_comment", mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if value is None or value is True:
            return {}
        return {"match": value} if isinstance(value, str) else value


class Grant(Part):
    """Changes people's permission on the repository."""

    when: Moment
    by: Login | None = None
    permission: dict[Login, Permission]


class Delivery(Part):
    """A webhook delivery of our making, sent ``times`` times under one delivery id."""

    event: Annotated[str, Field(pattern=r"^[a-z_]{1,60}$")]
    payload: Any = None
    signature: Literal["good", "bad", "none"] = "good"
    times: Annotated[int, Field(ge=1, le=100)] = 1


class Deliver(Part):
    """Sends a delivery that GitHub did not cause."""

    when: Moment
    by: Login | None = None
    deliver: Delivery


AnyAct: TypeAlias = (
    Label
    | Unlabel
    | Comment
    | EditComment
    | EditIssue
    | EditPull
    | Review
    | Press
    | Push
    | Close
    | Merge
    | DeleteComment
    | Grant
    | Deliver
)
_COMMON: Final = frozenset({"when", "by", "where"})
ACTS: Final[dict[str, type[AnyAct]]] = {
    next(name for name in model.model_fields if name not in _COMMON): model for model in get_args(AnyAct)
}


def read_act(raw: object, at: Path, problems: list[Problem]) -> AnyAct | None:
    """Reads one act; what is wrong goes to ``problems``."""
    if not isinstance(raw, dict):
        problems.append((at, "An act is a mapping with `when`, `by` and what is done."))
        return None
    kinds = [key for key in raw if key in ACTS]
    if len(kinds) != 1:
        others = [key for key in raw if key not in _COMMON]
        meant = nearest(others[0], ACTS) if len(others) == 1 else None
        hint = f"did you mean {meant!r}?" if meant else f"an act does exactly one of {', '.join(ACTS)}."
        problems.append((at, f"This act does {', '.join(kinds or others) or 'nothing'}; {hint}"))
        return None
    kind = ACTS[kinds[0]]
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problems += problems_of(error, kind, at)
        return None
