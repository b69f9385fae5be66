"""Which settings of a node its transport uses; others are faults where the node's own entry has them."""

from __future__ import annotations

from typing import Final

from agent.wire.message import message
from fleet.inventory.keys import WITH_OPTIONS
from fleet.inventory.sections import Section
from transports.kind import Setting
from transports.registry import KINDS

#: Keys of a node that some transports have no use for.
UNUSED_BY_SOME: Final[tuple[Setting, ...]] = ("port", "user", "identity")


def check_settings(section: Section, transport: str) -> None:
    """Report the settings of an entry that the node's transport does not use.

    Defaults and groups are not checked: they may be for nodes of several transports.
    """
    if "transport" in section.nodes and "transport" not in section.values:
        return  # it is a fault already, and the transport that is meant is not known
    kind = KINDS[transport]
    for setting in UNUSED_BY_SOME:
        if setting in section.nodes and setting not in kind.uses:
            section.fault(
                setting,
                message(
                    "inventory.setting-unused",
                    "the transport {transport} does not use it",
                    transport=transport,
                ),
                message(
                    "inventory.setting-unused.remedy",
                    "remove `{key}`, or choose a transport that uses it ({transports:, })",
                    key=setting,
                    transports=[other.name for other in KINDS.values() if setting in other.uses],
                ),
            )
    for other in WITH_OPTIONS:
        if other.name in section.nodes and other not in kind.members:
            section.fault(
                other.name,
                message(
                    "inventory.options-unused",
                    "these are options of the transport {other}, and the node uses {transport}",
                    other=other.name,
                    transport=transport,
                ),
                message(
                    "inventory.options-unused.remedy",
                    "remove `{other}`, or write `transport: {other}`",
                    other=other.name,
                ),
            )
