"""Start the agent on a node: try interpreters, send the archive when the node lacks it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

from fleet.errors import LinkLost, NoAgent
from fleet.frozen import frozen
from fleet.link.bundle import Bundle
from transports.base import Channel, Transport
from transports.errors import ChannelLost, CommandNotStarted

#: ``-I`` keeps the node's PYTHON* variables, user site and working folder out of the agent.
STAGE_ONE = ("-I", "-c", "import sys;exec(sys.stdin.buffer.readline())")
#: Tried in this order when the inventory names none.
INTERPRETERS = (("python3",), ("python",), ("py", "-3"))

_ANSWER = re.compile(rb"^DTUI1 (have|need|damaged|old [\d.]+)\r?\n", re.MULTILINE)
#: A login banner may come first; more than this is no banner.
_NOISE_LIMIT = 1 << 16


@frozen
class Started:
    """A channel on which the agent is about to say hello."""

    channel: Channel
    interpreter: tuple[str, ...]
    #: Whether the archive had to be sent.
    sent: bool
    #: Bytes of the first frames that came along with the last answer line.
    head: bytes


async def start_agent(
    transport: Transport, bundle: Bundle, *, node: str, python: str | None, timeout: float = 30.0
) -> Started:
    """Return a channel to a running agent.

    ``python`` is the inventory's interpreter; without one the usual names are tried. Raises NoAgent
    with what each of them answered, TransportError when the node itself can't be used.
    """
    candidates: Sequence[tuple[str, ...]] = ((python,),) if python else INTERPRETERS
    refusals: list[str] = []
    for interpreter in candidates:
        try:
            channel = await transport.open([*interpreter, *STAGE_ONE])
        except CommandNotStarted as error:
            refusals.append(f"{' '.join(interpreter)}: {error.what}")
            continue
        try:
            async with asyncio.timeout(timeout):
                return await _handshake(channel, bundle, interpreter)
        except TimeoutError:
            refusals.append(f"{' '.join(interpreter)}: no answer within {timeout:.0f} s")
        except _Refused as refusal:
            refusals.append(f"{' '.join(interpreter)}: {refusal}")
        except ChannelLost as error:
            await channel.close()
            raise LinkLost(
                f"the connection broke while the agent was starting: {error.what}", node=node
            ) from error
        except BaseException:
            await channel.close()
            raise
        await channel.close()
    raise NoAgent(
        "no usable Python was found; " + "; ".join(refusals),
        node=node,
        remedy="install Python 3.9 or newer from python.org (tick 'Add to PATH'), "
        "or set the node's `python` to the interpreter's full path",
    )


class _Refused(Exception):
    """This interpreter can't run the agent, for the reason given."""


async def _handshake(channel: Channel, bundle: Bundle, interpreter: tuple[str, ...]) -> Started:
    received = bytearray()
    sent = False
    with suppress(ChannelLost):  # it may have ended already: what it said tells why
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
            raise _Refused("the agent's archive arrived damaged")
        else:
            raise _Refused(f"it is Python {word.split()[1]}, and 3.9 or newer is needed")


async def _explain(channel: Channel, output: bytes) -> str:
    """Say in words why an interpreter ended before it answered."""
    try:
        async with asyncio.timeout(5):
            status = await channel.wait()
    except (TimeoutError, ChannelLost):
        status = None
    text = " ".join((output + b"\n" + channel.stderr()).decode("utf-8", "replace").split())
    if "Microsoft Store" in text or "Python was not found" in text:
        return "this is only the Microsoft Store's placeholder, not Python"
    if status in (127, 9009, 49) or re.search(r"not found|not recognized|No such file", text):
        return "not installed, or not on the PATH"
    if "has no attribute 'buffer'" in text or 'no attribute "buffer"' in text:
        return "it is Python 2, and 3.9 or newer is needed"
    said = f", saying {text[-300:]!r}" if text else ", saying nothing"
    return f"ended with status {status}{said}"
