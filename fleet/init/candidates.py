"""Known hosts of this machine, from ``~/.ssh/config`` and ``known_hosts``. The network is not scanned."""

from __future__ import annotations

import ipaddress
import os.path
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from fleet.init.ssh_config import read_hosts, read_start
from fleet.inventory import node_names

#: They are in many known_hosts files and train nothing.
_NO_WORKERS = ("github.com", "gitlab.com", "bitbucket.org", "dev.azure.com", "hf.co", "sr.ht", "codeberg.org")


class Candidate(Struct, frozen=True):
    """A host that may be a worker; ``source`` is the file that names it."""

    name: str
    address: str
    source: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None


def find_candidates(ssh_folder: Path) -> tuple[Candidate, ...]:
    """Return the hosts that OpenSSH's files in ``ssh_folder`` name, each once, the configured ones first.

    Hashed names and patterns are skipped, as they name no host; so are this machine and code hosting sites.
    """
    found: dict[str, Candidate] = {}
    addresses: set[str] = set()
    configured = (one for one in configured_hosts(ssh_folder / "config") if one.user != "git")
    for candidate in (*configured, *_known(ssh_folder / "known_hosts")):
        if _trains(candidate.address) and candidate.address not in addresses:
            addresses |= {candidate.address, candidate.name}
            found.setdefault(candidate.name, candidate)
    return tuple(found.values())


def configured_hosts(path: Path) -> Iterator[Candidate]:
    """Yield the hosts of an OpenSSH client configuration that have their own ``Host`` line."""
    for alias, options in read_hosts(path).items():
        # The configuration finds the route to the host under its alias, so the alias is kept.
        indirect = "proxyjump" in options or "proxycommand" in options
        address = alias if indirect else options.get("hostname", alias).replace("%h", alias)
        port, identity = options.get("port", ""), options.get("identityfile", "")
        yield Candidate(
            name=node_name(alias),
            address=address,
            source=str(path),
            user=None if indirect and options.get("user") != "git" else options.get("user"),
            port=_port(port) if port != "22" and not indirect else None,
            identity=_key(identity) if not indirect else None,
        )


def _key(written: str) -> Path | None:
    # Path's own raises for an unknown user's home.
    path = Path(os.path.expanduser(written))  # noqa: PTH111
    return path if written and "%" not in written and path.is_absolute() else None


def _known(path: Path) -> Iterator[Candidate]:
    try:
        lines = read_start(path).splitlines()
    except OSError:
        return
    for line in lines:
        names = line.split()[0] if line.split() else ""
        if not names or names.startswith(("#", "@", "|")):
            continue
        hosts = [_host_and_port(name) for name in names.split(",") if not set(name) & set("*?!")]
        if hosts:
            # One line, one key, one machine: its name where it has one, else its address.
            host, port = next((pair for pair in hosts if not _is_address(pair[0])), hosts[0])
            yield Candidate(name=node_name(host), address=host, source=str(path), port=port)


def _host_and_port(name: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[(.+)\]:([0-9]+)", name)
    return (bracketed[1], _port(bracketed[2])) if bracketed else (name, None)


def _port(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) < 65536 else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _trains(host: str) -> bool:
    if _is_address(host):
        return not ipaddress.ip_address(host).is_loopback
    return host != "localhost" and not any(host == site or host.endswith(f".{site}") for site in _NO_WORKERS)


def node_name(host: str) -> str:
    """Return a host's name or address as the name of a node."""
    return host if node_names.name(host) is None else re.sub(r"[^\w.-]+", "-", host).strip("-.") or "worker"
