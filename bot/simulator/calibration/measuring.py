"""A whole calibration: a range of commits in, figures out; nothing is written but below a directory of its own."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.bootstrap import Parts, build, prices_of
from bot.domain.errors import OverBudget, UserError
from bot.domain.money import dollars, micro_dollars
from bot.domain.repo_config import CONFIG_PATH, Budget, ConfigError, RepoConfig, parse_config
from bot.settings import Settings
from bot.simulator.calibration.figures import Judged
from bot.simulator.calibration.history import History, read_history
from bot.simulator.calibration.reviewing import Reviewers, Trial
from bot.simulator.calibration.seeding import Seed, seeds

MOST_DOLLARS: Final = 10_000.0
"""The most that a configuration's budget may name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure. ``span``: ``A..B``; ``defects``: how many to seed at most; ``budget``: dollars for all of it."""

    repository: Path
    span: str
    defects: int
    seed: int
    budget: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came out. ``ended``: why it ended early, "" when every diff had its turn. Money in micro-dollars."""

    asked: Asked
    history: History
    seeded: int
    clean: int
    seats: tuple[str, ...]
    models: tuple[str, ...]
    results: tuple[Judged, ...]
    spent: int
    ended: str


def calibrate(asked: Asked, settings: Settings, tell: Callable[[Judged, int], None]) -> Calibration:
    """Measure. ``settings``: of an agents' process, with a data directory that is thrown away afterwards.

    ``tell`` hears of each diff as it is done, with the number of all. Raises ``UserError``: see ``read_history``; no place
    for a defect; a configuration that cannot be used; a budget that pays for no diff; what stops the first review.
    """
    if not 0 < asked.budget <= MOST_DOLLARS:
        raise UserError(f"a budget of ${asked.budget:g} cannot be used: give dollars above 0, {MOST_DOLLARS:g} at most")
    if asked.defects < 1:
        raise UserError(f"{asked.defects} defects measure nothing: give 1 or more with --defects")
    settings.data.mkdir(parents=True, exist_ok=True)
    history = read_history(asked.repository, asked.span, settings.data)
    config = _config(history, asked)
    trials = _trials(history, asked)
    prices = prices_of(settings)
    models = tuple(config.models.for_seat(seat) or settings.model_name for seat in range(1, config.reviewers + 1))
    for model in models:
        prices.of(model)
    with _parts(settings) as parts:
        reviewers = Reviewers(parts, history, config, _name(asked.repository))
        results, spent, ended = _judged(reviewers, trials, micro_dollars(asked.budget), tell)
        return Calibration(
            asked=asked,
            history=history,
            seeded=sum(1 for one in trials if one.seed is not None),
            clean=sum(1 for one in trials if one.seed is None),
            seats=reviewers.seats,
            models=models,
            results=tuple(results),
            spent=spent,
            ended=ended,
        )


def _judged(
    reviewers: Reviewers, trials: list[Trial], budget: int, tell: Callable[[Judged, int], None]
) -> tuple[list[Judged], int, str]:
    results: list[Judged] = []
    spent = 0
    for trial in trials:
        try:
            result = reviewers.judge(trial, budget - spent)
        except OverBudget as over:
            spent += reviewers.spent(trial)
            if not results:
                raise UserError(
                    f"the budget of {dollars(budget)} does not pay for the review of one diff: {over.sentence}"
                ) from over
            why = (
                f"the budget of {dollars(budget)} was spent before {len(trials) - len(results)} of {len(trials)} diffs"
            )
            return results, spent, why
        spent += result.micro_dollars
        results.append(result)
        tell(result, len(trials))
    return results, spent, ""


def _trials(history: History, asked: Asked) -> list[Trial]:
    """Seeded and clean diffs in one shuffled order, so that a measurement that ends early has some of each."""
    chance = random.Random(asked.seed)  # noqa: S311 - the same seed is to give the same defects
    found: list[Seed | None] = list(seeds(history, asked.defects, chance))
    if not found:
        raise UserError(
            f"no line that {asked.span} adds can carry a defect ({len(history.commits)} of {history.in_range} commits can "
            "be reviewed; Python, JavaScript, TypeScript, Go and Java are read): name a longer range"
        )
    clean = chance.sample(history.commits, min(len(found), len(history.commits)))
    order = [(seed.commit, seed) for seed in found if seed is not None] + [(commit, None) for commit in clean]
    chance.shuffle(order)
    return [Trial(number, commit, seed) for number, (commit, seed) in enumerate(order, 1)]


def _config(history: History, asked: Asked) -> RepoConfig:
    """The configuration at the range's end, as a run would read it there; money is bounded by ``asked`` alone."""
    tree = history.git.run("rev-parse", f"{history.last}^{{tree}}").stdout.decode("ascii").strip()
    data = history.trees.read(tree, CONFIG_PATH)
    try:
        config = parse_config(None if data is None else data.decode("utf-8", "replace"))
    except ConfigError as wrong:
        raise UserError(f"the configuration at the end of {asked.span} cannot be used: {wrong}") from wrong
    return config.model_copy(update={"budget": Budget(run=asked.budget, day=MOST_DOLLARS)})


def _name(repository: Path) -> str:
    """A name of the form that GitHub has, from the folder's."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", repository.resolve().name).strip("-.")
    return f"local/{plain[:100] or 'repository'}"


@contextmanager
def _parts(settings: Settings) -> Iterator[Parts]:
    parts = build(settings)
    try:
        yield parts
    finally:
        parts.storage.close()
