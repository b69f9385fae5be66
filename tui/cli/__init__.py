"""The command line: commands, their options, and what they print."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name (default: this process's); returns the exit status."""
    # Imported when it runs: the console needs parts of this package, and not the parser of all commands.
    from tui.cli.main import main as run

    return run(arguments)
