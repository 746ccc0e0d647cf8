"""`make mutants`: makes the mutants, runs the tests on them, compares the survivors with survivors.toml.

Arguments are globs over modules or functions (`bot.domain.money`, `bot.gates.*`); none of them means all three rooms.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from tests.mutants.making import ROOMS, Mutant, copy_tree, write_mutants

FLOOR: Final = 95.0  # percent of a room's mutants that tests kill
LIST: Final = Path(__file__).with_name("survivors.toml")
ROOT: Final = Path(__file__).resolve().parents[2]


def listed() -> dict[tuple[str, str], str]:
    """The known survivors as `(function, change) -> reason`; an entry without a reason is an error."""
    known: dict[tuple[str, str], str] = {}
    for entry in tomllib.loads(LIST.read_text("utf-8")).get("survivors", []):
        reason = str(entry["reason"]).strip()
        if not reason:
            raise SystemExit(f"{LIST.name}: {entry['function']} has survivors without a reason; write why they live")
        for change in entry["changes"]:
            known[entry["function"], change] = reason
    return known


def outcomes(mutants: list[Mutant], tree: Path) -> dict[str, str]:
    """What became of each mutant (by name), from a run in `tree`."""
    plan, result = tree / "mutants-plan.json", tree / "mutants-result.json"
    globs = tomllib.loads(LIST.with_name("tests.toml").read_text("utf-8"))["tests"]
    tests = sorted({str(path.relative_to(ROOT)) for glob in globs for path in ROOT.glob(glob)})
    jobs = int(os.environ.get("JOBS", "2"))
    pairs = [(mutant.name, mutant.switch) for mutant in mutants]
    plan.write_text(json.dumps({"mutants": pairs, "tests": tests, "jobs": jobs}), "utf-8")
    # Without the repository on its path: what it imports are the mutants.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants.running", str(plan), str(result)],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode or not result.is_file():
        raise SystemExit(f"the run broke off ({done.returncode}): {done.stdout[-4000:]}")
    answer: dict[str, str] = json.loads(result.read_text("utf-8"))
    return answer


def report(mutants: list[Mutant], outcome: dict[str, str], known: dict[tuple[str, str], str], *, whole: bool) -> bool:
    """Prints the score of each room and every unlisted survivor; true when nothing is unlisted and, of a whole run, the floor holds."""
    good = True
    for room in ROOMS:
        own = [mutant for mutant in mutants if mutant.room == room]
        counts = Counter(outcome[mutant.name] for mutant in own)
        if own:
            score = 100.0 * counts["killed"] / len(own)
            good = good and (score >= FLOOR or not whole)
            print(
                f"{room}: {counts['killed']} of {len(own)} mutants killed, {score:.1f} % ({len(own) - counts['killed']} survive)"
            )
    alive = [mutant for mutant in mutants if outcome[mutant.name] != "killed"]
    unlisted = [mutant for mutant in alive if (mutant.function, mutant.change) not in known]
    for mutant in unlisted:
        print(f"unlisted: {mutant.function} [{outcome[mutant.name]}] {mutant.change}")
    there = {(mutant.function, mutant.change) for mutant in mutants}
    living = {(mutant.function, mutant.change) for mutant in alive}
    tried = {mutant.function for mutant in mutants}
    for function, change in known:
        if function in tried and (function, change) not in living:
            how = "is killed now" if (function, change) in there else "is no mutant any more"
            print(f"listed in vain: {function}: {change} {how}")
    print(f"{len(alive) - len(unlisted)} survivors are listed in {LIST.relative_to(ROOT)}, {len(unlisted)} are not")
    return good and not unlisted


def main(arguments: list[str]) -> int:
    """Exit 0: every survivor is listed with its reason, and where all was tried the floor holds in each room."""
    with tempfile.TemporaryDirectory(prefix="conductor-mutants-") as directory:
        tree = Path(directory)
        copy_tree(ROOT, tree)
        mutants = write_mutants(ROOT, tree, tuple(arguments))
        if not mutants:
            raise SystemExit(f"no mutant matches {' '.join(arguments)}; say a module or a function with its dots")
        print(f"{len(mutants)} mutants", file=sys.stderr)
        outcome = outcomes(mutants, tree)
    return 0 if report(mutants, outcome, listed(), whole=not arguments) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
