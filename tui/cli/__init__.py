"""The command line: every operation without a screen, printing the same events that the screens draw."""

from tui.cli.main import main

__all__ = ["main"]
