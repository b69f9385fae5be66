"""Faults of a node's login shell: a start file that reads input, takes long or prints, and re-encoded output.

The shell is identified only after a failure, since that costs a start of it.
"""

from __future__ import annotations

from agent.wire.message import Message, message
from fleet.errors import FleetError, NoAgent
from transports.base import Transport
from transports.login_shell import ShellKind
from transports.quoting import quoted

#: The errors of AgentClient for output that is held back, and for output that has been changed.
_NO_FRAME = ("link.no-hello", "link.protocol")


async def stage_swallowed(
    transport: Transport, interpreter: tuple[str, ...], node: str, seconds: float
) -> NoAgent | None:
    """Return the error if the shell rather than the interpreter keeps Python from answering."""
    shell = await transport.login_shell()
    if shell is None or not shell.held:
        return None
    if shell.kind == "powershell":
        what = message(
            "link.profile-waits",
            "the PowerShell profile of this account waits for input or is slow: {command} did not answer "
            "within {seconds:.0f} s",
            command=" ".join(interpreter),
            seconds=seconds,
        )
    else:
        what = message(
            "link.start-file-waits",
            "a start file of the login shell waits for input or is slow: {command} did not answer within "
            "{seconds:.0f} s",
            command=" ".join(interpreter),
            seconds=seconds,
        )
    return NoAgent(what, node=node, remedy=_skip_start_files(shell.kind))


async def prints_too_much(transport: Transport, text: str, node: str) -> NoAgent:
    """Return the error for text that fills the limit before Python's first answer."""
    shell = await transport.login_shell()
    return NoAgent(
        message(
            "link.start-file-prints",
            "the login shell printed {size:bytes} and more before Python answered, beginning with {text!r}",
            size=len(text.encode()),
            text=quoted(text, 100),
        ),
        node=node,
        remedy=_skip_start_files(shell.kind if shell else "unknown"),
    )


async def without_hello(transport: Transport, error: FleetError, node: str) -> FleetError:
    """Return the error for an agent that has started and whose first frame did not arrive as it was sent.

    PowerShell passes a program's output on as bytes, unless a function or a transcript reads it as text.
    Other errors, such as a lost connection, are returned as they are.
    """
    shell = await transport.login_shell() if error.what.id in _NO_FRAME else None
    if shell is None or shell.kind != "powershell":
        return error
    return NoAgent(
        message(
            "link.output-re-encoded",
            "PowerShell, the login shell, re-encodes or withholds Python's output ({error})",
            error=error.what,
        ),
        node=node,
        remedy=message(
            "link.output-re-encoded.remedy",
            "a function of the profile has the interpreter's name, or a transcript is on: set the node's "
            "`python` to the interpreter's full path, remove Start-Transcript from the profile, or set "
            "DefaultShell of the node's SSH server back to cmd.exe",
        ),
    )


def _skip_start_files(kind: ShellKind) -> Message:
    if kind == "powershell":
        return message(
            "link.profile.remedy",
            "put `{line}` first in the PowerShell profile of this account",
            line="if ($env:SSH_CONNECTION -and -not $env:SSH_TTY) { return }",
        )
    if kind == "cmd":
        return message(
            "link.autorun.remedy",
            "remove the command that cmd.exe runs at its start: the value AutoRun in {key} of HKCU and HKLM",
            key=r"Software\Microsoft\Command Processor",
        )
    if kind == "csh":
        return message(
            "link.csh-start-file.remedy",
            "put `{line}` first in ~/.cshrc or ~/.tcshrc of this account",
            line="if (! $?prompt) exit",
        )
    return message(
        "link.start-file.remedy",
        "let the start files of the account's shell end early without a terminal, e.g. with `{line}` "
        "first in ~/.bashrc",
        line="[[ $- == *i* ]] || return",
    )
