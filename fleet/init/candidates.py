"""Hosts that this machine knows already, by ``~/.ssh/config`` and ``known_hosts``. Nothing is scanned."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

from fleet.frozen import frozen
from fleet.init.ssh_config import read_hosts
from fleet.inventory import values

#: They are in many known_hosts files and train nothing.
_NO_WORKERS = ("github.com", "gitlab.com", "bitbucket.org", "dev.azure.com", "hf.co", "sr.ht", "codeberg.org")


@frozen
class Candidate:
    """A host that may be a worker; ``source`` is the file that names it."""

    name: str
    address: str
    source: str
    user: str | None = None
    port: int | None = None
    identity: Path | None = None


def find_candidates(ssh_folder: Path) -> tuple[Candidate, ...]:
    """Return the hosts that OpenSSH's files in ``ssh_folder`` name, each once, the configured ones first.

    Hashed names and patterns tell no host and are passed over, as are this machine and code hosting sites.
    """
    found: dict[str, Candidate] = {}
    addresses: set[str] = set()
    for candidate in (*_configured(ssh_folder), *_known(ssh_folder / "known_hosts")):
        if _trains(candidate.address) and candidate.address not in addresses:
            addresses |= {candidate.address, candidate.name}
            found.setdefault(candidate.name, candidate)
    return tuple(found.values())


def _configured(ssh_folder: Path) -> Iterator[Candidate]:
    for alias, options in read_hosts(ssh_folder / "config").items():
        if options.get("user") == "git":
            continue
        # What the configuration says of the way there is looked up under the alias, so that stays.
        by_way = "proxyjump" in options or "proxycommand" in options
        address = alias if by_way else options.get("hostname", alias).replace("%h", alias)
        port, identity = options.get("port", ""), options.get("identityfile", "")
        yield Candidate(
            name=_name(alias),
            address=address,
            source=str(ssh_folder / "config"),
            user=None if by_way else options.get("user"),
            port=int(port) if port.isdecimal() and port != "22" and not by_way else None,
            identity=_key(identity) if not by_way else None,
        )


def _key(written: str) -> Path | None:
    path = Path(written).expanduser()
    return path if written and "%" not in written and path.is_absolute() else None


def _known(path: Path) -> Iterator[Candidate]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
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
            yield Candidate(name=_name(host), address=host, source=str(path), port=port)


def _host_and_port(name: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[(.+)\]:(\d+)", name)
    return (bracketed[1], int(bracketed[2])) if bracketed else (name, None)


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


def _name(host: str) -> str:
    """Return the host as a node's name."""
    return host if values.name(host) is None else re.sub(r"[^\w.-]+", "-", host).strip("-.") or "worker"
