"""What a model call costs, in whole micro-dollars: reserved before the call, settled after it (I12)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.errors import SettingsError, UserError

MICRO: Final = 1_000_000
"""Micro-dollars in a dollar, and tokens in the unit that prices are quoted for."""

MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}")


class UnknownPrice(UserError):
    """A model without a known price is never called (I12)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, each counted once: ``input`` holds neither what was written to the cache nor what was read from it."""

    input: int
    output: int
    cache_write: int = 0
    cache_read: int = 0

    def __post_init__(self) -> None:
        for name in ("input", "output", "cache_write", "cache_read"):
            if getattr(self, name) < 0:
                raise ValueError(f"usage counts tokens, so {name} cannot be {getattr(self, name)}")

    @property
    def prompt(self) -> int:
        """All tokens that went in, cached or not."""
        return self.input + self.cache_write + self.cache_read

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_read + other.cache_read,
        )


Rate = Annotated[int, Field(ge=0, le=100_000 * MICRO, strict=True)]


class Rates(BaseModel):
    """Micro-dollars per million tokens. ``cache_write`` is the five-minute cache, the only one that Conductor asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Rate
    output: Rate
    cache_write: Rate
    cache_read: Rate


class LongPrompt(Rates):
    """Rates of a whole call, output included, whose prompt is longer than ``above`` tokens."""

    above: Annotated[int, Field(gt=0, strict=True)]


class Price(Rates):
    """One model's price. ``simulation`` marks the scripted model, whose calls nobody bills."""

    long_prompt: LongPrompt | None = None
    simulation: bool = False

    def for_prompt(self, tokens: int) -> Rates:
        """The rates that hold for a prompt of that many tokens."""
        return self.long_prompt if self.long_prompt is not None and tokens > self.long_prompt.above else self


class PriceList(BaseModel):
    """A dated list of prices and where it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    source: Annotated[str, Field(min_length=1)]
    models: dict[str, Price]


def _bill(usage: Usage, rates: Rates) -> int:
    """Micro-dollars of ``usage``, the sum rounded up once: a budget is never overrun by rounding."""
    total = (
        usage.input * rates.input
        + usage.output * rates.output
        + usage.cache_write * rates.cache_write
        + usage.cache_read * rates.cache_read
    )
    return -(-total // MICRO)


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by exact model name; no family, prefix or default stands in for a name that is not listed."""

    as_of: str
    source: str
    models: Mapping[str, Price]

    def of(self, model: str) -> Price:
        """The price of ``model``. Raises UnknownPrice when it is not listed."""
        price = self.models.get(model)
        if price is None:
            raise UnknownPrice(
                f"The model {model!r} has no known price in the list of {self.as_of}, so it is not called: "
                "choose a listed model or give its price in the settings.",
                {"model": model, "as_of": self.as_of},
            )
        return price

    def cost(self, model: str, usage: Usage) -> int:
        """Micro-dollars of one call, rounded up. Raises UnknownPrice."""
        return _bill(usage, self.of(model).for_prompt(usage.prompt))

    def worst_case(self, model: str, input_tokens_upper_bound: int, max_tokens: int) -> int:
        """The most that one call can cost in micro-dollars, to be reserved before it. Raises UnknownPrice.

        ``input_tokens_upper_bound`` must be at least the prompt's true length (its UTF-8 bytes always are); whatever share
        of it is cached, and on whichever side of a long-prompt step it falls, no call within both limits costs more.
        """
        if input_tokens_upper_bound < 0 or max_tokens < 0:
            raise ValueError(f"token limits cannot be negative: {input_tokens_upper_bound} in, {max_tokens} out")
        price = self.of(model)
        candidates: list[Rates] = [price]
        if price.long_prompt is not None and input_tokens_upper_bound > price.long_prompt.above:
            candidates.append(price.long_prompt)
        return max(
            -(-(input_tokens_upper_bound * max(r.input, r.cache_write, r.cache_read) + max_tokens * r.output) // MICRO)
            for r in candidates
        )

    def override(self, prices: Mapping[str, object]) -> Prices:
        """These prices with ``prices`` (model name to the fields of ``Price``) added or put in place of listed ones.

        Raises SettingsError that names the model and field at fault.
        """
        merged = dict(self.models)
        for model, value in prices.items():
            if not MODEL_NAME.fullmatch(model):
                raise SettingsError(f"The price override for {model!r} names no model: use the API's model name.")
            try:
                merged[model] = Price.model_validate(value)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                field = ".".join(str(part) for part in first["loc"]) or "value"
                raise SettingsError(
                    f"The price override for {model!r} is wrong at {field}: {first['msg']} "
                    "(whole micro-dollars per million tokens for input, output, cache_write and cache_read).",
                    {"model": model, "field": field},
                ) from error
        return Prices(self.as_of, self.source, merged)


def parse_prices(text: str) -> Prices:
    """Reads a price list in the format of ``prices.json``. Raises SettingsError when it is not one."""
    try:
        listed = PriceList.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its start"
        raise SettingsError(f"The price list is wrong at {where}: {first['msg']}.", {"field": where}) from error
    return Prices(listed.as_of, listed.source, dict(listed.models))


@lru_cache(maxsize=1)
def shipped_prices() -> Prices:
    """The price list that comes with this release. It is part of the program, as its code is; nothing else is read."""
    return parse_prices((files("bot.domain") / "prices.json").read_text("utf-8"))


def dollars(micro: int) -> str:
    """Micro-dollars as people read them: two decimals, four below a dollar, never rounded down to nothing."""
    sign, amount = ("-", -micro) if micro < 0 else ("", micro)
    if amount >= MICRO:
        cents = -(-amount // 10_000)
        return f"{sign}${cents // 100:,}.{cents % 100:02d}"
    return f"{sign}${-(-amount // 100) / 10_000:.4f}"


def micro_dollars(amount: float) -> int:
    """Dollars as configured (10, 0.5) in micro-dollars, rounded to the nearest."""
    return round(amount * MICRO)
