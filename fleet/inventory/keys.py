"""Every key of nodes.yaml: where it may stand, how it is read, what it means.

The reader, its hints for unknown keys and the reference in ``docs/inventory.md`` all come from this table.
"""

from __future__ import annotations

from typing import Final, Literal

from fleet.frozen import frozen
from fleet.inventory import values
from fleet.inventory.model import DEFAULT_CONFIG, DEFAULT_MODULE, DEFAULT_PORT
from fleet.inventory.values import Parser

SectionName = Literal["file", "run", "master", "defaults", "group", "node", "winrm"]


@frozen
class Key:
    """One key: ``parse`` is None for a block that has keys or entries of its own."""

    name: str
    sections: tuple[SectionName, ...]
    parse: Parser | None
    #: What may be written, for the reference.
    form: str
    help: str
    default: str = ""


_WORKERS: Final[tuple[SectionName, ...]] = ("defaults", "group", "node")
_RANKS: Final[tuple[SectionName, ...]] = ("master", *_WORKERS)

_port = values.whole_number(1, 65535, "a port")

KEYS: Final[tuple[Key, ...]] = (
    Key("project", ("file",), values.local_path, "path",
        "the folder to deploy, seen from this file's folder",
        "the folder of this file, or its parent when that is `configs`"),
    Key("production", ("file",), values.truth, "`true`, `false`",
        "other people's work depends on these machines: the console frames itself, says so, asks with No",
        "`false`"),
    Key("run", ("file",), None, "block",
        "the program that a run starts"),
    Key("master", ("file",), None, "block",
        "the machine that dtui runs on; it is rank 0"),
    Key("defaults", ("file",), None, "block",
        "what holds for every worker unless its group or entry says otherwise"),
    Key("groups", ("file",), None, "blocks by name",
        "workers that share settings; the group's name is a tag of its nodes"),
    Key("nodes", ("file", "group"), None, "list",
        "the workers, in the order of their ranks"),

    Key("module", ("run",), values.module, "module",
        "starts `python -m MODULE`", f"`{DEFAULT_MODULE}`"),
    Key("script", ("run",), values.project_file, "path",
        "starts `python SCRIPT` instead; a file below the project folder"),
    Key("args", ("run",), values.texts, "list",
        "further arguments of the program"),
    Key("config", ("run",), values.project_file, "path",
        "given to the program as `--config PATH`",
        f"`{DEFAULT_CONFIG}` for the module `{DEFAULT_MODULE}`, else none"),
    Key("method", ("run",), values.choice("ranks", "accelerate"), "`ranks`, `accelerate`",
        "`ranks` starts one process a rank; `accelerate` one `accelerate launch` a node (not on Windows)",
        "`ranks`"),
    Key("backend", ("run",), values.choice("auto", "gloo", "nccl"), "`auto`, `gloo`, `nccl`",
        "`auto` is nccl when every node is Linux with GPUs, else gloo", "`auto`"),
    Key("port", ("run",), values.whole_number(1024, 65535, "a port"), "1024-65535",
        "where the ranks meet, on the master", f"`{DEFAULT_PORT}`"),

    Key("name", ("master",), values.names, "name",
        "what dtui calls the master", "`master`"),
    Key("name", ("node",), values.names, "name or node set",
        "what dtui calls the node; a set such as `gpu[1-8]` describes several alike", "the address"),
    Key("address", ("node",), values.addresses, "address or set",
        "IP address or host name; a set such as `192.168.1.[101-108]` goes pairwise with the names",
        "the name"),
    Key("address", ("master",), values.ip_literal, "IP address",
        "the address by which the workers reach the master", "found from the route to the workers"),
    Key("transport", _WORKERS, values.choice("auto", "ssh", "winrm", "local"),
        "`auto`, `ssh`, `winrm`, `local`",
        "how dtui logs in; `auto` takes what answers", "`auto`"),
    Key("port", _WORKERS, _port, "1-65535",
        "port of the ssh or WinRM service", "the service's usual port"),
    Key("user", _WORKERS, values.text, "name",
        "whom to log in as (`DOMAIN\\name` is possible)", "the name on the master"),
    Key("identity", _WORKERS, values.local_path, "path",
        "private key file on the master", "the ssh agent's and the usual key files"),
    Key("winrm", _WORKERS, None, "block",
        "options of the WinRM transport"),
    Key("python", _RANKS, values.text, "path or command",
        "Python 3.9 or newer on the node, for dtui's agent",
        "the first of `python3`, `python`, `py -3` that works"),
    Key("environment", _RANKS, values.choice("uv", "existing"), "`uv`, `existing`",
        "`uv` makes the project's environment with `uv sync`; `existing` uses `interpreter`",
        "`existing` where `interpreter` is given, else `uv`"),
    Key("interpreter", _RANKS, values.node_path, "path",
        "the Python that trains, on the node, for `environment: existing`"),
    Key("gpus", _RANKS, values.gpus, "number, list, `all`",
        "how many GPUs to use, or which: `[0, 1]`, numbered as nvidia-smi does; `0` trains on the CPU",
        "`all`"),
    Key("processes", _RANKS, values.whole_number(1, 256, "a number of ranks"), "1-256",
        "how many ranks a node without a GPU runs", "`1`"),
    Key("project", _WORKERS, values.node_path, "path",
        "where the project lives on the node", "`~/dtui/<project's name>`"),
    Key("interface", _RANKS, values.text, "name",
        "network adapter for the ranks' traffic, such as `Ethernet 2` or `eth0`",
        "the one that routes to the master"),
    Key("tags", _RANKS, values.tags, "list",
        "words to select nodes by: `--on @TAG`; added to those of the group"),
    Key("env", ("run", *_RANKS), values.environment, "block",
        "environment variables for the ranks; the nearer block wins"),

    Key("scheme", ("winrm",), values.choice("https", "http"), "`https`, `http`",
        "`http` still encrypts, by NTLM or Kerberos", "`https` on port 5986, else `http`"),
    Key("auth", ("winrm",), values.choice("ntlm", "kerberos", "basic"), "`ntlm`, `kerberos`, `basic`",
        "how to log in; `basic` over https only", "what the node offers"),
    Key("ca", ("winrm",), values.local_path, "path",
        "PEM file on the master with the authority, or with the node's own https certificate",
        "the system's authorities"),
    Key("fingerprint", ("winrm",), values.text, "SHA256:...",
        "the node's https certificate, which then needs no authority"),
)  # fmt: skip


def keys_of(section: SectionName) -> dict[str, Key]:
    """Return the keys that may stand in a section, by name, in the table's order."""
    return {key.name: key for key in KEYS if section in key.sections}
