"""The review ledger's words: findings, what happened to them, and what is asked of them (DESIGN section 6).

`ledger_round` holds the law by which a round of reviews moves findings, `ledger_people` what people and CI may do. All of
it is pure: every function answers with a new ledger and the events that lead to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from bot.domain.citation import Citation, Evidence
from bot.domain.paths import matches_any
from bot.domain.review import Category, Severity
from bot.domain.subject import canonical

Status: TypeAlias = Literal["open", "fixed", "justified", "withdrawn"]
Source: TypeAlias = Literal["reviewer", "human", "ci"]
EvidenceJson: TypeAlias = dict[str, Any]

UNPROVEN = "unproven"
"""Reason of a finding that was withdrawn at admission because its evidence did not hold."""

_RANK = {Severity.MINOR: 0, Severity.MAJOR: 1, Severity.BLOCKER: 2}


@dataclass(frozen=True, slots=True)
class LedgerFinding:
    """One finding as it stands.

    ``revision``: what was under review when it was raised, or raised again; a fix must have changed something since.
    ``reason``: why it has its status. ``settled_by``: the seats (joined by ``, ``) or ``@login`` who gave it a status other
    than open, ``settled_at`` the revision of that. ``by_person``: a person justified or withdrew it. ``concern``: admitted
    without proof because it is about money (`financial_risk`), and shown as such.
    """

    id: str
    stage: str
    round: int
    status: Status
    severity: Severity
    category: Category
    title: str
    claim: str
    evidence: tuple[EvidenceJson, ...]
    suggestion: str | None
    fingerprint: str
    raised_by: tuple[str, ...]
    source: Source
    revision: str
    reason: str = ""
    concern: bool = False
    settled_by: str = ""
    settled_at: str = ""
    by_person: bool = False

    @property
    def is_unproven(self) -> bool:
        """Recorded and counted, never shown as a finding; such findings silence nobody."""
        return self.status == "withdrawn" and self.reason == UNPROVEN


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One change of one finding. ``who``: a seat, ``@login``, ``ci:<check>`` or ``admission``; ``from_status`` "" when it is new.

    ``evidence`` is what the change rests on; ``compared`` says for each piece why it did not hold, "" where it did.
    """

    finding: str
    who: str
    round: int
    revision: str
    from_status: Status | Literal[""]
    to_status: Status
    reason: str
    evidence: tuple[EvidenceJson, ...] = ()
    compared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a reviewer asked for that the law does not allow, and why; nothing changed."""

    seat: str
    finding: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All findings of one run, in the order of their ids, and everything that happened to them."""

    findings: tuple[LedgerFinding, ...] = ()
    events: tuple[LedgerEvent, ...] = ()

    def finding(self, name: str) -> LedgerFinding | None:
        """The finding of that id, or None."""
        return next((finding for finding in self.findings if finding.id == name), None)


@dataclass(frozen=True, slots=True)
class LedgerChange:
    """A new ledger and the events that lead to it (they are in the ledger, too)."""

    ledger: Ledger
    events: tuple[LedgerEvent, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(slots=True)
class LedgerDraft:
    """A ledger while one round or act changes it; keeps the indices that make ten thousand findings linear."""

    findings: dict[str, LedgerFinding]
    earlier: tuple[LedgerEvent, ...]
    events: list[LedgerEvent] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    by_fingerprint: dict[str, str] = field(default_factory=dict)
    by_piece: dict[str, dict[str, None]] = field(default_factory=dict)
    """Ids in the order in which they came, looked up without a walk: thousands of findings may share one piece."""

    @classmethod
    def of(cls, ledger: Ledger) -> LedgerDraft:
        """Opens ``ledger`` for changes."""
        draft = cls({finding.id: finding for finding in ledger.findings}, ledger.events)
        for finding in ledger.findings:
            draft._index(finding)
        return draft

    def closed(self) -> LedgerChange:
        """The new ledger with what changed."""
        events = tuple(self.events)
        ledger = Ledger(tuple(self.findings.values()), (*self.earlier, *events))
        return LedgerChange(ledger, events, tuple(self.notices))

    def next_id(self) -> str:
        """Ids count from F1 and are never given twice."""
        return f"F{len(self.findings) + 1}"

    def put(self, finding: LedgerFinding, event: LedgerEvent) -> None:
        """Adds ``finding``, or puts it in the place of the one with its id, and records why."""
        self.findings[finding.id] = finding
        self.events.append(event)
        self._index(finding)

    def known_as(self, pieces: Sequence[str], fingerprint: str) -> LedgerFinding | None:
        """The finding that a new one repeats: of equal fingerprint, or settled with all of its evidence at hand.

        Withdrawn findings are never repeated: nobody can silence another by submitting a defect badly first.
        """
        name = self.by_fingerprint.get(fingerprint)
        if name is not None:
            return self.findings[name]
        for candidate in self.by_piece.get(pieces[0], ()) if pieces else ():
            known = self.findings[candidate]
            # The same evidence in another order is nothing new to a settled finding; an open one loses nothing by a twin.
            if known.status != "open" and set(pieces) <= set(piece_keys(known)):
                return known
        return None

    def _index(self, finding: LedgerFinding) -> None:
        """Withdrawn findings leave the indices."""
        keys = piece_keys(finding)
        if finding.status == "withdrawn":
            if self.by_fingerprint.get(finding.fingerprint) == finding.id:
                del self.by_fingerprint[finding.fingerprint]
            for key in keys:
                self.by_piece.get(key, {}).pop(finding.id, None)
            return
        self.by_fingerprint.setdefault(finding.fingerprint, finding.id)
        for key in keys:
            self.by_piece.setdefault(key, {}).setdefault(finding.id)


def piece_key(piece: Mapping[str, Any], renamed_from: Mapping[str, str] | None = None) -> str:
    """What makes a piece of evidence the same as an earlier one: its place and its quote, white space aside.

    Line numbers are left out, so moved lines are followed; ``renamed_from`` (new path to old) follows renamed files.
    """
    if "pointer" in piece:
        place = ["pointer", str(piece["pointer"])]
    else:
        place = ["path", original_path(str(piece["path"]), renamed_from or {})]
    return hashlib.sha256(canonical([*place, " ".join(str(piece["quote"]).split())])).hexdigest()


def original_path(path: str, renamed_from: Mapping[str, str]) -> str:
    """The first name of ``path``; a circle of renames ends where it began."""
    seen = {path}
    while path in renamed_from and renamed_from[path] not in seen:
        path = renamed_from[path]
        seen.add(path)
    return path


def piece_keys(finding: LedgerFinding) -> tuple[str, ...]:
    """Keys of all evidence a finding ever had; computed at admission and kept beside each piece."""
    return tuple(str(piece["key"]) for piece in finding.evidence if "key" in piece)


def evidence_json(piece: Evidence, renamed_from: Mapping[str, str] | None = None) -> EvidenceJson:
    """``piece`` as the ledger keeps it, with its key."""
    plain: EvidenceJson = piece.model_dump(mode="json")
    return plain | {"key": piece_key(plain, renamed_from)}


def fingerprint(evidence: Sequence[Mapping[str, Any]], otherwise: Sequence[str] = ()) -> str:
    """Place and normalised quote of the first piece of evidence, hashed; without evidence the words ``otherwise``."""
    if evidence:
        return str(evidence[0].get("key") or piece_key(evidence[0]))
    return hashlib.sha256(canonical(["words", *(" ".join(word.split()).casefold() for word in otherwise)])).hexdigest()


def worst(one: Severity, other: Severity) -> Severity:
    """The graver of two severities."""
    return max(one, other, key=_RANK.__getitem__)


def gravest(one: Category, other: Category) -> Category:
    """``security`` wins over everything, because only people may justify it; else the first stays."""
    return Category.SECURITY if Category.SECURITY in {one, other} else one


def open_ids(ledger: Ledger) -> tuple[str, ...]:
    """Ids of open findings; each blocks, whatever its severity."""
    return tuple(finding.id for finding in ledger.findings if finding.status == "open")


def about_money(finding: LedgerFinding, financial_risk: Sequence[str]) -> bool:
    """Whether any evidence lies under ``financial_risk``, or the finding was admitted as such a concern."""
    paths = (str(piece["path"]) for piece in finding.evidence if "path" in piece)
    return finding.concern or any(matches_any(financial_risk, path) is not None for path in paths)


def reopening_problem(known: LedgerFinding, revision: str, *, has_new: bool, is_graver: bool = False) -> str:
    """Why proven evidence does not open a fixed or justified finding again, "" when it does.

    ``has_new``: some of it was never seen with this finding. ``is_graver``: it is now said to be of higher severity, or
    about security. What stands proven at a revision after the fix stands again.
    """
    if known.status == "fixed":
        if has_new or revision != known.settled_at:
            return ""
        return f"{known.id} was found fixed at this very revision; other evidence is needed to open it again."
    if known.by_person:
        return f"{known.id} was justified by {known.settled_by}; only a person opens it again."
    if has_new or is_graver:
        return ""
    return f"{known.id} was justified ({known.reason}); other evidence than before is needed to open it again."


def plain_evidence(finding: LedgerFinding) -> tuple[EvidenceJson, ...]:
    """The evidence as it was submitted, without the ledger's own keys."""
    return tuple({name: value for name, value in piece.items() if name != "key"} for piece in finding.evidence)


def is_citation_under(piece: Evidence, patterns: Sequence[str]) -> bool:
    """Whether ``piece`` cites a file that ``patterns`` cover."""
    return isinstance(piece, Citation) and matches_any(patterns, piece.path) is not None


def restated(finding: LedgerFinding, **changes: Any) -> LedgerFinding:
    """``finding`` with ``changes``."""
    return replace(finding, **changes)


@dataclass(frozen=True, slots=True)
class ReviewedSubject:
    """One counted review: its round, the tree or document that was judged, and the fingerprints open after it."""

    round: int
    subject: str
    open_fingerprints: frozenset[str]


def reviewed(ledger: Ledger, round_: int, subject: str) -> ReviewedSubject:
    """The memory of a review that has just been settled, for `quarrel`."""
    return ReviewedSubject(
        round_, subject, frozenset(finding.fingerprint for finding in ledger.findings if finding.status == "open")
    )


def quarrel(ledger: Ledger, history: Sequence[ReviewedSubject]) -> str | None:
    """Two lines on why drafter and reviewers do not come together, None while they still may.

    ``history``: the stage's reviews in order, the latest last. No convergence means that a finding is open after two
    reviews in a row, or that the latest subject was reviewed before.
    """
    if len(history) < 2:
        return None
    last, before = history[-1], history[-2]
    lasting = last.open_fingerprints & before.open_fingerprints
    if lasting:
        found = next(
            finding for finding in ledger.findings if finding.fingerprint in lasting and finding.status == "open"
        )
        others = f" and {len(lasting) - 1} more" if len(lasting) > 1 else ""
        return (
            f"{found.id}{others} stayed open through rounds {before.round} and {last.round}: {found.title}\n"
            f"{', '.join(found.raised_by)} still {'holds' if len(found.raised_by) == 1 else 'hold'} it; "
            "the last draft did not settle it."
        )
    twin = next((one for one in history[:-1] if one.subject == last.subject), None)
    if twin is None:
        return None
    return (
        f"Round {last.round} brought back what round {twin.round} had already shown ({last.subject[:8]}).\n"
        "Drafting and review go in a circle; a person has to say which way."
    )
