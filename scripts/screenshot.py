#!/usr/bin/env python
"""Runs the demo and draws its end as docs/demo.svg, the README's picture. Usage: screenshot.py [FILE]"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from bot.cli.live import View, last_line, ledger_table, outbox_table
from bot.simulator.bundled_scenario import bundled
from bot.simulator.runner import Runner

WIDTH = 112
LAST_ROWS = 8


def main() -> None:
    """Draw it."""
    view = View("make demo")
    report = Runner(bundled(), "embedded", watch=view.watch).run()
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(view, ledger_table(report), outbox_table(report["outbox"][-LAST_ROWS:]), last_line(report))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "docs" / "demo.svg"
    # Who reads the README is not to load fonts from elsewhere.
    template = re.sub(r"@font-face \{\{.*?\}\}|<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    path.write_text(console.export_svg(title="Conductor", code_format=template), "utf-8")


if __name__ == "__main__":
    main()
