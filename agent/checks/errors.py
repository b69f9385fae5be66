"""What a failed connection says, the same words on every system.

=============== =====================================================
``open``        connected, and the other side proved to be ours
``refused``     the address answered that nobody may connect
``dropped``     no answer at all
``unreachable`` the network said that there is no way
``silent``      connected, but nothing answered
``foreign``     connected to something that is not ours
``error``       the system refused to try
=============== =====================================================
"""

from __future__ import annotations

import errno

# Windows has numbers of its own beside the usual ones.
_REFUSED = {errno.ECONNREFUSED, 10061}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, 10051, 10065}
_DROPPED = {errno.ETIMEDOUT, 10060}
_RESET = {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, 10053, 10054}


def outcome_of(error: BaseException) -> str:
    """Return the word for a failed attempt."""
    if isinstance(error, TimeoutError):  # asyncio's is another class before Python 3.11
        return "dropped"
    number = getattr(error, "errno", None)
    for outcome, numbers in (
        ("refused", _REFUSED),
        ("unreachable", _UNREACHABLE),
        ("dropped", _DROPPED),
        ("silent", _RESET),
    ):
        if number in numbers:
            return outcome
    return "error"
