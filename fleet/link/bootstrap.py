"""Start the agent on a node: try interpreters, send the archive when the node lacks it."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import Struct

from agent.wire.message import Message, message
from fleet.errors import LinkLost, NoAgent
from fleet.link.bundle import Bundle
from fleet.link.interpreter_answers import decoded, ended_early, too_old, with_output
from fleet.link.shell_problems import prints_too_much, stage_swallowed
from transports.base import Channel, Transport
from transports.command_line import needs_quotes
from transports.errors import ChannelLost, CommandNotStarted
from transports.waiting import reported

#: ``-I`` keeps the node's PYTHON* variables, user site and working folder out of the agent.
STAGE_ONE = ("-I", "-c", "import sys;exec(sys.stdin.buffer.readline())")
#: The same without quotes: the interactive interpreter runs the first line of its input, quietly.
STAGE_ONE_UNQUOTED = ("-I", "-q", "-i")
#: Tried in this order when the inventory names none.
INTERPRETERS = (("python3",), ("python",), ("py", "-3"))

#: An interpreter that ended for no known reason, with and without output.
_UNEXPLAINED = ("link.output", "link.no-output")
_ANSWER = re.compile(rb"^DTUI1 (have|need|damaged|old [\d.]+)\r?\n", re.MULTILINE)
#: Text of start files may come first.
_NOISE_LIMIT = 1 << 16
#: For an interpreter with the shell that starts it; a profile of PowerShell can take half a minute.
_START_SECONDS = 60.0
#: For all interpreters together: a node that answers nothing must not hold a command once for each of them.
_ALL_SECONDS = 90.0


class Started(Struct, frozen=True):
    """A channel on which the agent's hello is next."""

    channel: Channel
    interpreter: tuple[str, ...]
    #: Whether the archive had to be sent.
    sent: bool
    #: Bytes of the first frames that were received with the last answer line.
    head: bytes


class _Attempt(Struct, frozen=True):
    """A way to start ``interpreter``; ``by_powershell`` is the one that PowerShell alone reads."""

    interpreter: tuple[str, ...]
    stage: tuple[str, ...]
    by_powershell: bool = False

    async def open(self, transport: Transport) -> Channel:
        argv = [*self.interpreter, *self.stage]
        return await (transport.open_by_powershell(argv) if self.by_powershell else transport.open(argv))


def _attempts(transport: Transport, interpreters: Sequence[tuple[str, ...]]) -> list[_Attempt]:
    if not transport.loses_quotes:
        return [_Attempt(interpreter, STAGE_ONE) for interpreter in interpreters]
    attempts = []
    for interpreter in interpreters:
        attempts.append(_Attempt(interpreter, STAGE_ONE_UNQUOTED))
        if needs_quotes(interpreter[0]):
            # The first one is for cmd.exe, which gets the line as it is.
            attempts.append(_Attempt(interpreter, STAGE_ONE_UNQUOTED, by_powershell=True))
    return attempts


async def start_agent(
    transport: Transport,
    bundle: Bundle,
    *,
    node: str,
    python: str | None,
    timeout: float = _START_SECONDS,
) -> Started:
    """Return a channel to a running agent.

    ``python`` is the inventory's interpreter; without one the usual names are tried. Raises NoAgent
    with what each of them answered, TransportError when the node itself can't be used.
    """
    await transport.connect()
    deadline = time.monotonic() + _ALL_SECONDS
    refusals: list[Message] = []
    attempts = deque(_attempts(transport, ((python,),) if python else INTERPRETERS))
    repeated: set[_Attempt] = set()
    while attempts:
        attempt = attempts.popleft()
        interpreter = attempt.interpreter
        try:
            channel = await attempt.open(transport)
        except CommandNotStarted as error:
            refusals.append(_tried(interpreter, error.what))
            continue
        seconds = min(timeout, max(1.0, deadline - time.monotonic()))
        received = bytearray()
        try:
            with reported(transport.waiting, _starting(interpreter, seconds)):
                async with asyncio.timeout(seconds):
                    return await _handshake(channel, bundle, interpreter, received)
        except TimeoutError:
            output = bytes(received), channel.stderr()
            await channel.close()
            refusals.append(_tried(interpreter, _late(seconds, *output)))
            # The next name would wait for the same start file.
            if (problem := await stage_swallowed(transport, interpreter, node, seconds)) is not None:
                raise problem from None
        except _Noise as noise:
            await channel.close()
            raise await prints_too_much(transport, noise.text, node) from None
        except _Refused as refusal:
            # A busy Windows can fail to start a program that it starts a moment later.
            if refusal.why.id in _UNEXPLAINED and attempt not in repeated:
                repeated.add(attempt)
                attempts.appendleft(attempt)
            else:
                refusals.append(_tried(interpreter, refusal.why))
        except ChannelLost as error:
            await channel.close()
            raise LinkLost(
                message(
                    "link.broke-at-start",
                    "the connection broke while the agent was starting: {error}",
                    error=error.what,
                ),
                node=node,
                remedy=error.remedy,
            ) from error
        except BaseException:
            await channel.close()
            raise
        await channel.close()
    raise NoAgent(
        message("link.no-python", "no usable Python was found ({refusals:; })", refusals=refusals),
        node=node,
        remedy=message(
            "link.no-python.remedy",
            "install Python 3.9 or newer from python.org (tick 'Add to PATH'), "
            "or set the node's `python` to the interpreter's full path",
        ),
    )


def _tried(interpreter: tuple[str, ...], why: Message) -> Message:
    return message("link.interpreter-tried", "tried {command}: {why}", command=" ".join(interpreter), why=why)


def _starting(interpreter: tuple[str, ...], limit: float) -> Callable[[float], Message]:
    def text(waited: float) -> Message:
        return message(
            "link.waiting",
            "{command} was started through the login shell, and has not answered for {waited:duration} (at "
            "most {limit:duration})",
            command=" ".join(interpreter),
            waited=waited,
            limit=limit,
        )

    return text


def _late(seconds: float, stdout: bytes, stderr: bytes) -> Message:
    late = message("link.interpreter-late", "no answer within {seconds:.0f} s", seconds=seconds)
    text = " ".join(f"{decoded(stdout)}\n{decoded(stderr)}".split())
    return with_output(late, text) if text else late


class _Refused(Exception):
    """This interpreter can't run the agent, for the reason given."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


class _Noise(Exception):
    """Too much text came before an answer."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


async def _handshake(
    channel: Channel, bundle: Bundle, interpreter: tuple[str, ...], received: bytearray
) -> Started:
    """Send the stage and the archive. ``received`` keeps what has arrived, for a caller that gives up."""
    sent = False
    with suppress(ChannelLost):  # it may have ended already: its output has the reason
        await channel.write(bundle.stage)
    while True:
        answer = _ANSWER.search(received)
        if answer is None:
            if len(received) >= _NOISE_LIMIT:
                raise _Noise(decoded(bytes(received)))
            data = await channel.read()
            if not data:
                raise _Refused(await _explain(channel, interpreter, bytes(received)))
            received += data
            continue
        word = answer.group(1).decode("ascii")
        rest = bytes(received[answer.end() :])
        received[:] = rest
        if word == "need":
            await channel.write(bundle.archive)
            sent = True
        elif word == "have":
            return Started(channel, interpreter, sent, rest)
        elif word == "damaged":
            raise _Refused(message("link.archive-damaged", "the agent's archive arrived damaged"))
        else:
            raise _Refused(too_old(word.split()[1]))


async def _explain(channel: Channel, interpreter: tuple[str, ...], output: bytes) -> Message:
    """Return why an interpreter ended before it answered."""
    try:
        async with asyncio.timeout(5):
            status = await channel.wait()
    except (TimeoutError, ChannelLost):
        status = None
    return ended_early(interpreter, status, output, channel.stderr())
