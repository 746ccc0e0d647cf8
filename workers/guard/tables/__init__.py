"""What programs with subcommands may be asked: one table a field, all read by `workers.guard.subcommands`."""

from typing import Final

from workers.guard.subcommands import Tool, read_tables
from workers.guard.tables import clouds, containers, infrastructure, machine, macos, packages, sources

TOOLS: Final[dict[str, Tool]] = {
    name: tool
    for part in (clouds, containers, infrastructure, machine, macos, packages, sources)
    for name, tool in read_tables(part.TEXT).items()
}
