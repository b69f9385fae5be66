"""The workers of a file: what they inherit, and the node sets that stand for several of them."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Any

import yaml

from fleet.inventory.model import Node
from fleet.inventory.sections import Section, entries, read_section
from fleet.inventory.source import Place
from fleet.inventory.values import kind, name
from fleet.nodeset import fold


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
                shared["tags"] = tuple(dict.fromkeys((str(key.value), *shared.get("tags", ()))))
                found += _entries(group.nodes.get("nodes"), here.under("nodes"), shared, folder, project)
        elif section_name == "nodes":
            found += _entries(top.nodes["nodes"], place.under("nodes"), common, folder, project)
    return found


def inherit(base: dict[str, Any], section: Section) -> dict[str, Any]:
    """Return the values of a block over those it inherits; ``env``, ``tags`` and ``winrm`` are merged."""
    own = dict(section.values)
    winrm = section.nodes.get("winrm")
    own["winrm"] = read_section(winrm, section.place.under("winrm"), "winrm").values
    merged = {**base, **own}
    for key in ("env", "winrm"):
        merged[key] = {**base.get(key, {}), **own.get(key, {})}
    merged["tags"] = tuple(dict.fromkeys((*base.get("tags", ()), *own.get("tags", ()))))
    if "interpreter" in section.nodes:
        if own.get("environment") == "uv":
            section.fault(
                "interpreter",
                "is only used with `environment: existing`",
                "remove it, or write `environment: existing`",
            )
        elif "environment" not in section.nodes:
            merged["environment"] = "existing"
    elif own.get("environment") == "uv":
        merged.pop("interpreter", None)
    return merged


def node_fields(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return merged values as the fields of a Node."""
    fields = {key: value for key, value in values.items() if not (key == "gpus" and value == "all")}
    fields["env"] = tuple(values["env"].items())
    fields["options"] = tuple(
        (key, str(on_master(value, folder)) if key == "ca" else value)
        for key, value in fields.pop("winrm").items()
    )
    if "identity" in fields:
        fields["identity"] = on_master(fields["identity"], folder)
    return fields


def on_master(written: str, folder: Path) -> Path:
    """Return a path on the master as absolute; links keep the names that the user gave them."""
    return Path(os.path.normpath(folder / Path(written).expanduser()))


def _entries(
    block: yaml.Node | None, place: Place, shared: dict[str, Any], folder: Path, project: str
) -> list[tuple[Node, Section]]:
    if block is None or block.tag == "tag:yaml.org,2002:null":
        return []
    if not isinstance(block, yaml.SequenceNode):
        place.fault(block, f"must be a list, not {kind(block)}", "begin each node with `- name: ...`")
        return []
    found: list[tuple[Node, Section]] = []
    for index, item in enumerate(block.value):
        section = read_section(item, place.under(index), "node")
        values = inherit(shared, section)
        names, addresses = values.pop("name", None), values.pop("address", None)
        fields = node_fields(values, folder)
        fields.setdefault("project", project)
        found += [
            (Node(**{**fields, "name": name, "address": address}), section)
            for name, address in _pairs(section, names, addresses)
        ]
    return found


def _pairs(
    section: Section, names: tuple[str, ...] | None, addresses: tuple[str, ...] | None
) -> list[tuple[str, str]]:
    """Return (name, address) for each node of an entry; either stands for the other when not given."""
    if not {"name", "address"} & set(section.nodes):
        if not isinstance(section.node, yaml.MappingNode) and section.node is not None:
            return []
        section.place.fault(section.node, "a node needs a `name` or an `address`")
        return []
    if ("name" in section.nodes and not names) or ("address" in section.nodes and not addresses):
        return []
    # A name can't have an IPv6 address's colons.
    names = names or tuple(address.replace(":", "-") for address in addresses or ())
    addresses = addresses or names
    if len(names) != len(addresses):
        section.fault(
            "address",
            f"{len(names)} names ({fold(names)}) but {len(addresses)} addresses ({fold(addresses)})",
            "a set of names and a set of addresses go pairwise",
        )
        return []
    return list(zip(names, addresses, strict=True))
