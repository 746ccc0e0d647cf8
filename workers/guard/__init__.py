"""The command guard: every command line is parsed and allowed before it runs, deny by default (DESIGN I8)."""

from workers.guard.judge import judge, judge_batch
from workers.guard.verdict import Decision, Profile

__all__ = ["Decision", "Profile", "judge", "judge_batch"]
