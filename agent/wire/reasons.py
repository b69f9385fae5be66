"""The reasons of exceptions as messages."""

from __future__ import annotations

from agent.wire.message import Message, message


def system_reason(error: OSError) -> Message:
    """Return the system's reason without the file and the number, which str() includes."""
    reason = error.strerror or str(error)
    return reason if isinstance(reason, Message) else Message(reason)


def reason_of(error: BaseException) -> Message:
    """Return the text of an exception; of a system error the file and the system's reason.

    str() of a system error has its number, and the file's name as repr() writes it. A message with which
    the exception was raised keeps its id.
    """
    if not isinstance(error, OSError) or not error.strerror:
        own = error.args[0] if len(error.args) == 1 else None
        return own if isinstance(own, Message) and own == str(error) else Message(str(error))
    reason = system_reason(error)
    if error.filename is None:
        return reason
    return message("system.of-file", "{path}: {reason}", path=str(error.filename), reason=reason)
