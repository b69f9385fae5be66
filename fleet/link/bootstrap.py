"""Start the agent on a node: try interpreters, send the archive when the node lacks it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from agent.wire.message import Message, message
from fleet.errors import LinkLost, NoAgent
from fleet.link.bundle import Bundle
from transports.base import Channel, Transport
from transports.errors import ChannelLost, CommandNotStarted

#: ``-I`` keeps the node's PYTHON* variables, user site and working folder out of the agent.
STAGE_ONE = ("-I", "-c", "import sys;exec(sys.stdin.buffer.readline())")
#: Tried in this order when the inventory names none.
INTERPRETERS = (("python3",), ("python",), ("py", "-3"))

_ANSWER = re.compile(rb"^DTUI1 (have|need|damaged|old [\d.]+)\r?\n", re.MULTILINE)
#: A login banner may come first; a longer text is not a banner.
_NOISE_LIMIT = 1 << 16
#: Characters of a program's output that are shown.
_SHOWN = 300
#: For all interpreters together: a node that answers nothing must not hold a command once for each of them.
_ALL_SECONDS = 40.0


class Started(Struct, frozen=True):
    """A channel on which the agent's hello is next."""

    channel: Channel
    interpreter: tuple[str, ...]
    #: Whether the archive had to be sent.
    sent: bool
    #: Bytes of the first frames that were received with the last answer line.
    head: bytes


async def start_agent(
    transport: Transport, bundle: Bundle, *, node: str, python: str | None, timeout: float = 30.0
) -> Started:
    """Return a channel to a running agent.

    ``python`` is the inventory's interpreter; without one the usual names are tried. Raises NoAgent
    with what each of them answered, TransportError when the node itself can't be used.
    """
    candidates: Sequence[tuple[str, ...]] = ((python,),) if python else INTERPRETERS
    deadline = time.monotonic() + _ALL_SECONDS
    refusals: list[Message] = []
    for interpreter in candidates:
        try:
            channel = await transport.open([*interpreter, *STAGE_ONE])
        except CommandNotStarted as error:
            refusals.append(_tried(interpreter, error.what))
            continue
        try:
            async with asyncio.timeout(min(timeout, max(1.0, deadline - time.monotonic()))):
                return await _handshake(channel, bundle, interpreter)
        except TimeoutError:
            late = message("link.interpreter-late", "no answer within {seconds:.0f} s", seconds=timeout)
            refusals.append(_tried(interpreter, late))
        except _Refused as refusal:
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


class _Refused(Exception):
    """This interpreter can't run the agent, for the reason given."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


async def _handshake(channel: Channel, bundle: Bundle, interpreter: tuple[str, ...]) -> Started:
    received = bytearray()
    sent = False
    with suppress(ChannelLost):  # it may have ended already: its output has the reason
        await channel.write(bundle.stage)
    while True:
        answer = _ANSWER.search(received)
        if answer is None:
            data = await channel.read() if len(received) < _NOISE_LIMIT else b""
            if not data:
                raise _Refused(await _explain(channel, bytes(received)))
            received += data
            continue
        word = answer.group(1).decode("ascii")
        rest = bytes(received[answer.end() :])
        received = bytearray(rest)
        if word == "need":
            await channel.write(bundle.archive)
            sent = True
        elif word == "have":
            return Started(channel, interpreter, sent, rest)
        elif word == "damaged":
            raise _Refused(message("link.archive-damaged", "the agent's archive arrived damaged"))
        else:
            raise _Refused(_too_old(word.split()[1]))


async def _explain(channel: Channel, output: bytes) -> Message:
    """Return why an interpreter ended before it answered."""
    try:
        async with asyncio.timeout(5):
            status = await channel.wait()
    except (TimeoutError, ChannelLost):
        status = None
    text = " ".join((output + b"\n" + channel.stderr()).decode("utf-8", "replace").split())
    if "Microsoft Store" in text or "Python was not found" in text:
        return message("link.python-store", "it is the Microsoft Store's placeholder, not Python")
    if status in (127, 9009, 49) or re.search(r"not found|not recognized|No such file", text):
        return message("link.python-missing", "not installed, or not on the PATH")
    if "has no attribute 'buffer'" in text or 'no attribute "buffer"' in text:
        return _too_old("2")
    if status is None:
        ended = message("link.interpreter-ended", "it ended without an exit status")
    else:
        ended = message("link.interpreter-exited", "it ended with status {status}", status=status)
    if not text:
        return message("link.no-output", "{ended}, without output", ended=ended)
    return with_output(ended, text)


def _too_old(version: str) -> Message:
    return message(
        "link.python-too-old", "it is Python {version}, and 3.9 or newer is needed", version=version
    )


def with_output(ended: Message, output: str) -> Message:
    """Return how a program ended, with the end of its output."""
    return message("link.output", "{ended}, output: {output!r}", ended=ended, output=output[-_SHOWN:])
