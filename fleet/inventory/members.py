"""The workers of a file: what they inherit, and the node sets that name several of them."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from agent.wire.message import message
from fleet.inventory.keys import WITH_OPTIONS
from fleet.inventory.model import Node
from fleet.inventory.node_names import name, name_of
from fleet.inventory.sections import Section, entries, read_section
from fleet.inventory.source import Place, TooManyFaults
from fleet.inventory.transport_settings import UNUSED_BY_SOME, check_settings
from fleet.inventory.values import is_null, kind
from fleet.nodeset import MAX_NAMES, fold
from transports.kind import LocalPath, Option, TransportKind
from transports.registry import DEFAULT_TRANSPORT, KINDS


def read_workers(top: Section, folder: Path, project: str) -> list[tuple[Node, Section]]:
    """Return the workers in the order written, each with the block that describes it.

    ``folder`` is where paths on the master are seen from, ``project`` the node's folder by default.
    """
    found: list[tuple[Node, Section]] = []
    place = top.place
    defaults = read_section(top.nodes.get("defaults"), place.under("defaults"), "defaults")
    common = inherit({}, defaults)
    for section_name in top.nodes:
        if section_name == "groups":
            for key, block in entries(top.nodes["groups"], place.under("groups")):
                here = place.under("groups").under(str(key.value))
                if problem := name(str(key.value)):
                    here.fault(key, problem)
                group = read_section(block, here, "group")
                shared = inherit(common, group)
                shared["tags"] = tuple(dict.fromkeys((str(key.value), *words(shared, "tags"))))
                _read_entries(group.nodes.get("nodes"), here.under("nodes"), shared, folder, project, found)
        elif section_name == "nodes":
            _read_entries(top.nodes["nodes"], place.under("nodes"), common, folder, project, found)
    return found


def inherit(base: Mapping[str, object], section: Section) -> dict[str, object]:
    """Return the values of a block over those it inherits.

    ``env``, ``tags`` and the options of each transport are merged.
    """
    own = section.values
    merged = {**base, **own}
    merged["env"] = {**block(base, "env"), **block(own, "env")}
    for transport in WITH_OPTIONS:
        if transport.name in section.nodes:
            place = section.place.under(transport.name)
            written = read_section(section.nodes[transport.name], place, transport.name)
            merged[transport.name] = {**options_of(base, transport), **written.values}
    merged["tags"] = tuple(dict.fromkeys((*words(base, "tags"), *words(own, "tags"))))
    if "interpreter" in section.nodes:
        if own.get("environment") == "uv":
            section.fault(
                "interpreter",
                message("inventory.interpreter-unused", "is only used with `environment: existing`"),
                message(
                    "inventory.interpreter-unused.remedy",
                    "remove `interpreter`, or write `environment: existing`",
                ),
            )
        elif "environment" not in section.nodes:
            merged["environment"] = "existing"
    elif own.get("environment") == "uv":
        merged.pop("interpreter", None)
    return merged


def words(values: Mapping[str, object], key: str) -> tuple[str, ...]:
    """Return a value that is a list of words or a node set; empty without it."""
    return msgspec.convert(values.get(key, ()), tuple[str, ...])


def block(values: Mapping[str, object], key: str) -> dict[str, str]:
    """Return a value that is a block of texts; empty without it."""
    return msgspec.convert(values.get(key, {}), dict[str, str])


def node_fields(values: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Return merged values as the fields of a Node."""
    fields = {key: value for key, value in values.items() if not (key == "gpus" and value == "all")}
    fields["env"] = tuple(block(values, "env").items())
    transport = KINDS[str(values.get("transport", DEFAULT_TRANSPORT))]
    # Defaults and groups may be for nodes of several transports: what this one does not use is left out.
    for setting in UNUSED_BY_SOME:
        if setting not in transport.uses:
            fields.pop(setting, None)
    options: list[tuple[str, str]] = []
    for member in transport.members:
        given = options_of(values, member) if member.name in values else {}
        options += [
            (option.name, _as_text(option, given[option.name], folder))
            for option in member.options
            if option.name in given
        ]
    fields["options"] = tuple(options)
    for other in WITH_OPTIONS:
        fields.pop(other.name, None)
    if "identity" in fields:
        fields["identity"] = on_master(str(fields["identity"]), folder)
    return fields


def options_of(values: Mapping[str, object], transport: TransportKind) -> dict[str, str | int]:
    """Return the options of a transport among values; empty without any."""
    return msgspec.convert(values.get(transport.name, {}), dict[str, str | int])


def _as_text(option: Option, value: str | int, folder: Path) -> str:
    return str(on_master(str(value), folder) if isinstance(option.type, LocalPath) else value)


def on_master(written: str, folder: Path) -> Path:
    """Return a path on the master as absolute; links keep the names that the user gave them."""
    # Path's own raises for an unknown user's home.
    return Path(os.path.normpath(folder / os.path.expanduser(written)))  # noqa: PTH111


def _read_entries(
    block: yaml.Node | None,
    place: Place,
    shared: Mapping[str, object],
    folder: Path,
    project: str,
    found: list[tuple[Node, Section]],
) -> None:
    """Add the nodes of a list to ``found``."""
    if block is None or is_null(block):
        return
    if not isinstance(block, yaml.SequenceNode):
        place.fault(
            block,
            message("inventory.not-a-list", "must be a list, not {given}", given=kind(block)),
            message("inventory.not-a-list.remedy", "start each node with `- name: ...`"),
        )
        return
    for index, item in enumerate(block.value):
        if len(found) > MAX_NAMES:  # with aliases a small file can have any number
            place.fault(
                item,
                message(
                    "inventory.too-many-nodes", "the inventory has more than {count} nodes", count=MAX_NAMES
                ),
                message("inventory.too-many-nodes.remedy", "reduce the number of nodes"),
            )
            raise TooManyFaults
        section = read_section(item, place.under(index), "node")
        values = inherit(shared, section)
        check_settings(section, str(values.get("transport", DEFAULT_TRANSPORT)))
        names, addresses = words(values, "name") or None, words(values, "address") or None
        fields = node_fields(values, folder)
        fields.setdefault("project", project)
        found += [
            (msgspec.convert({**fields, "name": name, "address": address}, Node), section)
            for name, address in _pairs(section, names, addresses)
        ]


def _pairs(
    section: Section, names: tuple[str, ...] | None, addresses: tuple[str, ...] | None
) -> list[tuple[str, str]]:
    """Return (name, address) for each node of an entry; each defaults to the other."""
    if not {"name", "address"} & set(section.nodes):
        if not isinstance(section.node, yaml.MappingNode) and section.node is not None:
            return []
        section.place.fault(
            section.node, message("inventory.node-unnamed", "a node needs a `name` or an `address`")
        )
        return []
    if ("name" in section.nodes and not names) or ("address" in section.nodes and not addresses):
        return []
    names = names or tuple(map(name_of, addresses or ()))
    addresses = addresses or names
    if len(names) != len(addresses):
        section.fault(
            "address",
            message(
                "inventory.names-and-addresses",
                "the entry has {names:n name} ({those}) and {addresses:n address/addresses} ({these})",
                names=len(names),
                those=fold(names),
                addresses=len(addresses),
                these=fold(addresses),
            ),
            message("inventory.names-and-addresses.remedy", "give as many addresses as names"),
        )
        return []
    return list(zip(names, addresses, strict=True))
