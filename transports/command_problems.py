"""Errors for commands that cannot be passed to a node's shell."""

from __future__ import annotations

from agent.wire.message import message
from transports.command_line import UnsafeWord
from transports.errors import CommandNotStarted

#: cmd.exe accepts no longer command line. It may ignore a longer one and report success.
LONGEST_LINE = 8191


def long_command(length: int, where: str) -> CommandNotStarted:
    """Return the error for a command line of more than LONGEST_LINE characters."""
    return CommandNotStarted(
        message(
            "command.too-long",
            "the command line has {length} characters, and cmd.exe accepts {most}",
            length=length,
            most=LONGEST_LINE,
        ),
        where=where,
        remedy=message("command.too-long.remedy", "use a shorter path to the interpreter"),
    )


def unsafe_command(error: UnsafeWord, where: str) -> CommandNotStarted:
    """Return the error for a word that shells interpret differently."""
    return CommandNotStarted(
        message(
            "command.unsafe", "the command cannot be passed to the node's shell: {error}", error=error.what
        ),
        where=where,
        remedy=message(
            "command.unsafe.remedy", "use a path without quotes and other characters that shells interpret"
        ),
    )
