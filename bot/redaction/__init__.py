"""Finds and replaces secrets before a model, a log, a page or GitHub sees a text (I9). Pure: text in, text out."""

from bot.redaction.redactor import SHORTEST_HELD, Match, Redacted, Redactor

__all__ = ["SHORTEST_HELD", "Match", "Redacted", "Redactor"]
