"""What Ansible's connection variables mean for a node. Passwords are never imported."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from pathlib import Path

from agent.wire.message import message
from fleet.init.candidates import node_name
from fleet.init.importers.hosts import Hosts
from fleet.init.importers.model import Host
from fleet.secrets import is_secret_name
from transports.registry import KINDS

#: Ansible's connection plugins -> our transports.
_TRANSPORTS: Mapping[str, str] = {plugin: kind.name for kind in KINDS.values() for plugin in kind.ansible}
_USER = ("ansible_user", "ansible_ssh_user", "remote_user")
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port", "ansible_winrm_port", "ansible_psrp_port")
_KEY = ("ansible_ssh_private_key_file", "ansible_private_key_file")


def add_host(
    hosts: Hosts, where: str, name: str, variables: Mapping[str, object], groups: tuple[str, ...]
) -> None:
    """Add the host ``name`` with its variables, those of its groups included."""
    texts = {key: str(value) for key, value in variables.items() if not isinstance(value, dict | list)}
    for key in sorted(texts):
        if is_secret_name(key):
            hosts.skip(
                where, message("import.secret", "{name} is not imported: dtui asks for passwords", name=key)
            )
        elif "{{" in texts[key] and key in (*_USER, *_ADDRESS, *_PORT, *_KEY, "ansible_connection"):
            reason = message(
                "import.template",
                "{name} is a template that only Ansible can evaluate: {value}",
                name=key,
                value=texts[key][:80],
            )
            hosts.skip(where, reason)
            del texts[key]
    connection = texts.get("ansible_connection", "").rpartition(".")[2]
    if connection == "local":
        hosts.skip(where, message("import.local", "{host} is this machine, which is the master", host=name))
        return
    if connection and connection not in _TRANSPORTS:
        reason = message(
            "import.connection",
            "ansible_connection={connection} has no transport in dtui; there are {transports:, }",
            connection=connection[:80],
            transports=sorted(set(_TRANSPORTS.values())),
        )
        hosts.skip(where, reason)
        return
    hosts.add(
        where,
        Host(
            name=node_name(name),
            address=_first(texts, _ADDRESS) or name,
            transport=_TRANSPORTS.get(connection),
            port=_port(hosts, where, _first(texts, _PORT)),
            user=_first(texts, _USER),
            identity=_key(_first(texts, _KEY)),
            python=_python(texts.get("ansible_python_interpreter", "")),
            tags=groups,
        ),
    )


def _first(texts: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((texts[name] for name in names if texts.get(name)), None)


def _port(hosts: Hosts, where: str, written: str | None) -> int | None:
    if written is None:
        return None
    if written.isascii() and written.isdecimal() and len(written) <= 5 and 0 < int(written) < 65536:
        return int(written)
    hosts.skip(where, message("import.port", "{port!r} is not a port", port=written[:80]))
    return None


def _key(written: str | None) -> Path | None:
    path = Path(os.path.expanduser(written)) if written else None  # noqa: PTH111 -- Path's raises for an unknown user
    return path if path is not None and path.is_absolute() else None


def _python(written: str) -> str | None:
    # `auto` and similar values make Ansible find one, which dtui does anyway.
    return written if written and not written.startswith("auto") and "{{" not in written else None
