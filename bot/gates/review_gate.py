"""Whether a round of reviews lets a subject pass: every seat approves this very hash, and nothing is open (DESIGN section 5)."""

from __future__ import annotations

from collections import Counter

from bot.domain.facts import ReviewRound, SeatReview
from bot.domain.gate import Gate, Reason
from bot.gates.reasons import judged


def enough_seats(facts: ReviewRound) -> Reason:
    """At least the required number of seats, each its own."""
    problems = [f"the seat {seat} is listed {count} times" for seat, count in Counter(facts.seats).items() if count > 1]
    required = max(facts.required, 1)
    if len(set(facts.seats)) < required:
        problems.append(f"{len(set(facts.seats))} seats review, {required} are required")
    return judged("seats", problems, f"{len(facts.seats)} separate seats review.", seats=list(facts.seats))


def every_seat_answered(facts: ReviewRound) -> Reason:
    """One counting review a seat, and none from elsewhere."""
    counts = Counter(review.seat for review in facts.reviews)
    problems = [f"{seat} has {counts[seat]} reviews in one round" for seat in counts if counts[seat] > 1]
    problems += [f"{seat} has no seat in this round" for seat in counts if seat not in facts.seats]
    missing = [f"{seat} has no counting review" for seat in facts.seats if seat not in counts]
    return judged("answers", problems, "Every seat has one review.", missing=missing, reviews=dict(counts))


def same_subject(facts: ReviewRound) -> Reason:
    """Approvals count only for the hash under review."""
    problems = [
        f"{review.seat} judged {review.subject_sha256[:8]}, under review is {facts.subject_sha256[:8]}"
        for review in facts.reviews
        if review.subject_sha256 != facts.subject_sha256
    ]
    if not facts.subject_sha256:
        problems.append("nothing is under review")
    return judged("subject", problems, f"All reviews judge {facts.subject_sha256[:8]}.", subject=facts.subject_sha256)


def all_approve(facts: ReviewRound) -> Reason:
    """Each seat approves, and means it: an approval that adds or leaves an open finding asks for changes."""
    problems = [problem for review in facts.reviews if (problem := _not_approving(review))]
    missing = [] if facts.reviews else ["there is no review"]
    return judged("approvals", problems, "Every review approves.", missing=missing)


def _not_approving(review: SeatReview) -> str:
    if review.verdict != "approve":
        return f"{review.seat} asks for changes"
    if review.leaves_open:
        return f"{review.seat} approves and leaves {', '.join(review.leaves_open)} open"
    return ""


def all_opened(facts: ReviewRound) -> Reason:
    """Each reviewer was delivered what it judged."""
    problems = [
        f"{review.seat} did not open {place}" for review in facts.reviews for place in dict.fromkeys(review.uncovered)
    ]
    missing = [] if facts.reviews else ["there is no review"]
    return judged("coverage", problems, "Every reviewer opened what it judged.", missing=missing)


def nothing_open(facts: ReviewRound) -> Reason:
    """Every open finding blocks, whatever its severity."""
    problems = [f"{', '.join(facts.open_findings)} open"] if facts.open_findings else []
    return judged("findings", problems, "No finding is open.", open=list(facts.open_findings))


REVIEW_GATE: Gate[ReviewRound] = Gate(
    "review",
    (
        ("seats", enough_seats),
        ("answers", every_seat_answered),
        ("subject", same_subject),
        ("approvals", all_approve),
        ("coverage", all_opened),
        ("findings", nothing_open),
    ),
)
