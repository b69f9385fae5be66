"""Outcomes of failed connections, with the same names on every system.

=============== =====================================================
``open``        connected, and the other side proved to be dtui's
``refused``     the address rejected the connection
``dropped``     no answer at all
``unreachable`` the network reported that there is no route
``silent``      connected, but nothing answered
``foreign``     connected to another service
``error``       the system refused to try
=============== =====================================================
"""

from __future__ import annotations

import errno

from agent.wire.preflight import Outcome

# Windows has its own numbers in addition to the usual ones.
_REFUSED = {errno.ECONNREFUSED, 10061}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, 10051, 10065}
_DROPPED = {errno.ETIMEDOUT, 10060}
_RESET = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054}


def outcome_of(error: BaseException) -> Outcome:
    """Return the word for a failed attempt."""
    if isinstance(error, TimeoutError):  # asyncio's is another class before Python 3.11
        return "dropped"
    number = getattr(error, "errno", None)
    if number in _REFUSED:
        return "refused"
    if number in _UNREACHABLE:
        return "unreachable"
    if number in _DROPPED:
        return "dropped"
    return "silent" if number in _RESET else "error"
