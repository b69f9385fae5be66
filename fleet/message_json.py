"""Messages within JSON that msgspec writes and reads: as objects, and as plain texts of earlier versions."""

from __future__ import annotations

from agent.wire.decode import described
from agent.wire.message import Message, from_data, to_data


def encoded(value: object) -> object:
    """Return a message as msgspec can write it: its ``enc_hook``."""
    if isinstance(value, Message):
        return to_data(value)
    raise TypeError(f"cannot store a {type(value).__name__}")


def decoded(kind: type, value: object) -> object:
    """Return the message that :func:`encoded` wrote: msgspec's ``dec_hook``."""
    if kind is object:  # an argument of a MessageData, in facts and samples
        return value
    if kind is Message and isinstance(value, str):
        return Message(value)
    if kind is Message and isinstance(value, dict):
        return from_data(value)
    raise ValueError(f"expected a message, got {described(value)}")
