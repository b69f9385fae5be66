"""IP addresses as other machines report them. No name is resolved."""

from __future__ import annotations

import ipaddress
import re

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_ZONE = re.compile(r"[\w.:-]{1,64}")


def ip_address(text: str | None) -> IpAddress | None:
    """Return the address without its zone (``fe80::1%eth0``), None when the text is not an IP address."""
    address, separator, zone = (text or "").partition("%")
    if separator and not _ZONE.fullmatch(zone):
        return None
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    """Return whether an address is this machine's own (also an empty one, and ``localhost``)."""
    address = ip_address(text)
    return text in ("", "localhost") if address is None else address.is_loopback
