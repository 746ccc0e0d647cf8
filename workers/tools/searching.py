"""`search`: grep in a sandbox finds the lines (no pattern can hang us), and the redacted files are what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.paths import components
from workers.tools.contracts import Search
from workers.tools.lines import Lines
from workers.tools.reading import Reading
from workers.tools.said import Refused, Said, shown_name

MOST_HITS: Final = 200
MOST_IN_A_FILE: Final = 50
LINE_CHARACTERS: Final = 300
SECONDS: Final = 60
_HIT: Final = re.compile(rb"(?m)^([^\0\n]+)\0([0-9]+):")


@dataclass(frozen=True, slots=True)
class Searching:
    """Searches the tree at ``root``, mounted read-only."""

    sandbox: Sandbox
    root: Path
    reading: Reading

    def search(self, asked: Search) -> Said:
        """Matching lines as `path:N: text`, numbered as `read_file` numbers them."""
        where = "/".join(components(asked.path)) or "."
        grep = ("grep", "-rIEnZ", f"-m{MOST_IN_A_FILE}", "--exclude-dir=.git", "-e", asked.pattern, "--", where)
        ran = self.sandbox.run_argv(grep, tree=self.root, writable=False, limits=Limits(wall_s=SECONDS, cpu_s=SECONDS))
        if ran.timed_out:
            return Said(
                f"The search took more than {SECONDS} seconds; search a folder, or for something simpler.",
                is_error=True,
            )
        # Directories list their names in an order of their own on each disk, and a repeated job must be told the same.
        hits = sorted(
            (match[1].decode("utf-8", "surrogateescape").removeprefix("./"), int(match[2]))
            for match in _HIT.finditer(ran.output)
        )
        if not hits and ran.exit_code > 1:
            why = ran.output.decode("utf-8", "replace").strip().splitlines()
            return Said(self._clean(f"The search failed: {(why or ['no reason given'])[0][:300]}"), is_error=True)
        rows = list(dict.fromkeys(self._rows(hits[:MOST_HITS])))
        if not rows:
            return Said("No line matches.")
        if len(hits) > MOST_HITS or ran.truncated:
            rows.append("[there are more matches; search a folder or for something rarer]")
        return Said("\n".join(rows))

    def _clean(self, text: str) -> str:
        return self.reading.redactor.redact(text).text

    def _rows(self, hits: list[tuple[str, int]]) -> Iterator[str]:
        """The line as redacted in its whole file: a line of a key alone does not look like one."""
        files: dict[str, Lines | None] = {}
        for path, raw in hits:
            if path not in files:
                try:
                    files[path] = self.reading.lines(self.reading.main, path)
                except Refused:
                    files[path] = None
            lines = files[path]
            if lines is None:
                continue
            number = lines.of_raw(raw, raw)[0]
            if number <= len(lines.text):
                yield f"{shown_name(path)}:{number}: {lines.shown(number)[:LINE_CHARACTERS]}"
