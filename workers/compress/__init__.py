"""Verbose output made short for a model, with the raw text kept (DESIGN section 13)."""

from workers.compress.bounded import Bounded, bounded, tokens

__all__ = ["Bounded", "bounded", "tokens"]
