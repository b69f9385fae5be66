"""Collects hosts: validates names and addresses, drops duplicates, and keeps what was skipped."""

from __future__ import annotations

from collections.abc import Iterator

from agent.wire.message import Message, message
from fleet.init.importers.model import Host, Skipped
from fleet.inventory import node_names
from fleet.nodeset import MAX_NAMES, NodeSetError, expand

#: Skipped entries that are kept; a file of another kind has a fault in every line.
_MAX_SKIPPED = 1000


class Hosts:
    """The hosts found so far, by name."""

    def __init__(self) -> None:
        self._found: dict[str, Host] = {}
        self._addresses: dict[str, str] = {}
        self._skipped: list[Skipped] = []
        self._reasons: set[Message] = set()

    @property
    def found(self) -> tuple[Host, ...]:
        """All hosts, in the order of the file."""
        return tuple(self._found.values())

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was not imported."""
        return tuple(self._skipped)

    def skip(self, where: str, reason: Message) -> None:
        """Note something that can't be imported, the same reason once."""
        if len(self._skipped) < _MAX_SKIPPED and reason not in self._reasons:
            self._reasons.add(reason)
            self._skipped.append(Skipped(where, reason))

    def add(self, where: str, host: Host) -> None:
        """Add a host, or skip it when its address is invalid or already there."""
        problem = node_names.address(host.address)
        if problem is not None:
            self.skip(where, message("import.address", "{reason}", reason=problem[0]))
            return
        first = self._addresses.setdefault(host.address, host.name)
        if first != host.name or host.name in self._found:
            self.skip(
                where,
                message(
                    "import.duplicate", "{host} is listed already as {first}", host=host.address, first=first
                ),
            )
            return
        if len(self._found) >= MAX_NAMES:
            self.skip(where, message("import.too-many", "more than {most} hosts", most=MAX_NAMES))
            return
        self._found[host.name] = host

    def expanded(self, where: str, pattern: str) -> Iterator[str]:
        """Yield the names of a node set; a pattern that is not one is skipped."""
        try:
            yield from expand(pattern)
        except NodeSetError as error:
            reason = message(
                "import.pattern",
                "{pattern!r} is not a host or a range of hosts: {error}",
                pattern=pattern[:80],
                error=str(error),
            )
            self.skip(where, reason)


def without_comment(line: str) -> str:
    """Return a line of a host list without its comment and the blanks around it."""
    return line.split("#", 1)[0].strip()
