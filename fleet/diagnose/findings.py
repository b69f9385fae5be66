"""The result of a diagnosis."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.wire.message import EMPTY, Message

Confidence = Literal["certain", "likely"]


class Diagnosis(Struct, frozen=True):
    """The cause of a failure and its remedy; ``line`` is the line of output that shows it."""

    signature: str
    cause: Message
    remedy: Message
    line: str
    confidence: Confidence = "certain"
    #: The rank whose output shows it.
    rank: int | None = None
    #: It shows that another rank failed first.
    consequence: bool = False
    #: It shows that the connection to another rank was lost.
    lost_peer: bool = False


class Report(Struct, frozen=True):
    """What is known about a failure; without ``found`` no cause is claimed."""

    found: Diagnosis | None = None
    #: The exception that ended the rank, ``ValueError: no such column``; empty without one.
    exception: str = ""
    #: ``train.py:210`` and the function, of the program's own innermost frame.
    place: str = ""
    function: str = ""
    rank: int | None = None
    #: How the process ended; empty when that is not known or explains nothing.
    ended: Message = EMPTY
    next: tuple[Message, ...] = ()
    #: Texts of the output that are shown.
    quoted: tuple[str, ...] = ()
