"""``transport: auto``: the first connection method that works."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.wire.message import message
from transports.kind import TransportKind

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport

NAME: Final = "auto"


def auto_kind(declared: Iterable[TransportKind]) -> TransportKind:
    """Return the transport that tries those of ``declared`` that have a connection method for it.

    Raises ValueError if two of them have an option of the same name: an endpoint has one value per name.
    """
    taking_part = sorted(
        (kind for kind in declared if kind.auto), key=lambda kind: min(method.order for method in kind.auto)
    )
    owner: dict[str, str] = {}
    for kind in taking_part:
        for option in kind.options:
            if owner.setdefault(option.name, kind.name) != kind.name:
                raise ValueError(
                    f"the transports {owner[option.name]} and {kind.name} both have an option "
                    f"{option.name!r}, which `transport: {NAME}` cannot tell apart; rename one of them"
                )

    def create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path) -> Transport:
        from transports.auto.transport import AutoTransport

        return AutoTransport(endpoint, prompts, kinds=taking_part, known_hosts=known_hosts)

    methods = sorted((method for kind in taking_part for method in kind.auto), key=lambda one: one.order)
    return TransportKind(
        name=NAME,
        summary=message(
            "transport.auto",
            "the first method that works: {methods:, }",
            methods=[one.name for one in methods],
        ),
        create=create,
        uses=frozenset(setting for kind in taking_part for setting in kind.uses),
        tries=tuple(taking_part),
    )
