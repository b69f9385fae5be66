"""Every key of nodes.yaml: where it may stand, how it is read, what it means.

The reader, its hints for unknown keys and the reference in ``docs/inventory.md`` all come from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from agent.wire.message import message
from fleet.inventory import node_names, secrets, setup, values
from fleet.inventory.model import DEFAULT_CONFIG, DEFAULT_MODULE, DEFAULT_PORT
from fleet.inventory.values import Parser
from transports.kind import Choice, LocalPath, Option, Setting, TransportKind, WholeNumber
from transports.registry import KINDS

#: A kind of block. The options of a transport are in a block of the transport's name.
SectionName = str
FILE_SECTIONS: Final[tuple[SectionName, ...]] = ("file", "run", "data", "master", "defaults", "group", "node")
#: The transports that have a block of options.
WITH_OPTIONS: Final[tuple[TransportKind, ...]] = tuple(kind for kind in KINDS.values() if kind.options)


class Key(Struct, frozen=True):
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

_A_PORT: Final = message("inventory.a-port", "a port")
_port = values.whole_number(1, 65535, _A_PORT)


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _using(setting: Setting) -> str:
    return _words(kind.name for kind in KINDS.values() if setting in kind.uses)


def _reading(option: Option) -> tuple[Parser, str]:
    """Return how an option of a transport is read, and what may be written."""
    match option.type:
        case Choice(words):
            return values.choice(*words), _words(words)
        case WholeNumber(low, high):
            return values.whole_number(low, high, message("inventory.a-number", "a number")), f"{low}-{high}"
        case LocalPath():
            return values.local_path, "path"
    return values.text, "text"


def _key_of(option: Option, kind: TransportKind) -> Key:
    parse, form = _reading(option)
    return Key(option.name, (kind.name,), parse, option.form or form, option.help, option.default)


KEYS: Final[tuple[Key, ...]] = (
    Key("project", ("file",), values.local_path, "path",
        "the folder to deploy, relative to this file's folder",
        "the folder of this file, or its parent when that is `configs`"),
    Key("production", ("file",), values.truth, "`true`, `false`",
        "marks machines that other people depend on: the console shows a frame, its questions default to No",
        "`false`"),
    Key("run", ("file",), None, "block",
        "the program that a run starts"),
    Key("data", ("file",), None, "block",
        "the folder that the program reads its data from; data is no code, and no deploy deletes it",
        "none; for the module `trainer` the folder that its configuration names, with `sync: once`"),
    Key("outputs", ("file",), values.texts, "list",
        "files that runs write into the project, in gitignore syntax such as `/results/`: they are not "
        "deployed, compared or deleted"),
    Key("master", ("file",), None, "block",
        "the machine that dtui runs on; it is rank 0"),
    Key("defaults", ("file",), None, "block",
        "values for every worker, unless its group or entry sets another one"),
    Key("groups", ("file",), None, "blocks by name",
        "workers that share settings; the group's name is a tag of its nodes"),
    Key("nodes", ("file", "group"), None, "list",
        "the workers, in the order of their ranks"),

    Key("module", ("run",), values.module, "module",
        "starts `python -m MODULE`", f"`{DEFAULT_MODULE}`"),
    Key("script", ("run",), values.project_file, "path",
        "starts `python SCRIPT` instead; a file below the project folder"),
    Key("args", ("run",), values.arguments, "list",
        "additional arguments of the program"),
    Key("config", ("run",), values.project_file, "path",
        "passed to the program as `--config PATH`",
        f"`{DEFAULT_CONFIG}` for the module `{DEFAULT_MODULE}`, else none"),
    Key("workdir", ("run",), values.project_folder, "path",
        "working folder of the program on every node, below the project folder", "the project folder"),
    Key("setup", ("run",), setup.commands, "list",
        "commands that each node runs before the ranks, when they or what they work with has changed; see "
        "[Setup commands](guide.md#setup-commands)"),
    Key("wheelhouse", ("run",), values.text, "path",
        "folder of wheels from which environments are installed without a network: in the project, or with "
        "`/`, `~` or a drive on the node", "the package index"),
    Key("accelerate", ("run",), values.project_file, "path",
        "an Accelerate configuration (`accelerate config`), whose ranks, addresses and ports dtui replaces"),
    Key("method", ("run",), values.choice("ranks", "accelerate"), "`ranks`, `accelerate`",
        "`ranks` starts one process per rank; `accelerate` one `accelerate launch` per node",
        "`accelerate` with `accelerate: FILE`, else `ranks`"),
    Key("backend", ("run",), values.choice("auto", "gloo", "nccl"), "`auto`, `gloo`, `nccl`",
        "`auto` is nccl when every node is Linux with GPUs, else gloo", "`auto`"),
    Key("port", ("run",), values.whole_number(1024, 65535, _A_PORT), "1024-65535",
        "rendezvous port on the master", f"`{DEFAULT_PORT}`"),
    Key("observe", ("run",), values.truth, "`true`, `false`",
        "whether a small observer in each rank reports its source line, for stall reports and `dtui stacks`",
        "`true`"),
    Key("progress", ("run",), values.progress_pattern, "regular expression",
        "how a line of the program states its progress, such as `it (?P<step>\\d+)/(?P<steps>\\d+) "
        "cost (?P<loss>\\S+)`; groups: `step`, `steps`, `epoch`, `epochs`, `loss`, `lr`, `eta`",
        "tqdm, rich, Lightning and Hugging Face output, and lines such as `step 10/100 loss 0.3`"),
    Key("log_limit", ("run",), values.binary_size(1 << 20, 1 << 40), "size",
        "how much of each rank's log its node keeps, beginning and end, such as `512MiB` or `2GiB`",
        "`1GiB`"),

    Key("root", ("data",), values.local_path, "path",
        "the folder, relative to the project or absolute; ranks get it as `DTUI_DATA`",
        "for the module `trainer` the folder that its configuration names"),
    Key("on", ("data",), values.node_paths, "paths by node set",
        "nodes that have the data elsewhere, such as `{gpu1: 'D:\\data', 'gpu[2-4]': /mnt/data}`"),
    Key("sync", ("data",), values.choice("no", "once", "mirror"), "`no`, `once`, `mirror`",
        "what a deploy does: `once` copies files that a node lacks and changes no other; `mirror` makes the "
        "node's folder equal to the master's, and names what it deletes", "`no`"),
    Key("parity", ("data",), values.choice("names", "sizes", "digest", "off"),
        "`names`, `sizes`, `digest`, `off`",
        "what preflight compares: the files' names, also their sizes, or also the contents of some of them",
        "`digest`"),

    Key("name", ("master",), node_names.names, "name",
        "name of the master", "`master`"),
    Key("name", ("node",), node_names.names, "name or node set",
        "name of the node; a set such as `gpu[1-8]` describes several similar nodes", "the address"),
    Key("address", ("node",), node_names.addresses, "address or set",
        "IP address or host name; a set such as `192.168.1.[101-108]` has one address per name, in order",
        "the name"),
    Key("address", ("master",), node_names.ip_literal, "IP address",
        "the address at which the workers reach the master",
        "the source address of the route to the workers"),
    Key("transport", _WORKERS, values.choice(*KINDS), _words(KINDS),
        "how dtui logs in; `auto` uses the one that answers", "`auto`"),
    Key("port", _WORKERS, _port, "1-65535",
        f"port of the service that dtui logs in to; for {_using('port')}", "the service's usual port"),
    Key("user", _WORKERS, values.text, "name",
        f"user to log in as (`DOMAIN\\name` is possible); for {_using('user')}", "the user on the master"),
    Key("identity", _WORKERS, values.local_path, "path",
        f"private key file on the master; for {_using('identity')}",
        "the keys of the ssh agent and the usual key files"),
    *(Key(kind.name, _WORKERS, None, "block", f"options of the transport `{kind.name}`")
      for kind in WITH_OPTIONS),
    Key("python", _RANKS, values.text, "path or command",
        "Python 3.9 or newer on the node, for dtui's agent",
        "the first of `python3`, `python`, `py -3` that works"),
    Key("environment", _RANKS, values.choice("uv", "existing"), "`uv`, `existing`",
        "`uv` creates the project's environment with `uv sync`; `existing` uses `interpreter`",
        "`existing` where `interpreter` is given, else `uv`"),
    Key("interpreter", _RANKS, values.node_path, "path",
        "path of the training Python on the node, for `environment: existing`"),
    Key("gpus", _RANKS, values.gpus, "number, list, `all`",
        "how many GPUs to use, or which: `[0, 1]`, numbered as nvidia-smi does; `0` trains on the CPU",
        "`all`"),
    Key("processes", _RANKS, values.whole_number(1, 256, message("inventory.ranks", "a number of ranks")),
        "1-256",
        "how many ranks a node without a GPU runs", "`1`"),
    Key("project", _WORKERS, values.worker_project, "path",
        "folder of the project on the node", "`~/dtui/<project's name>`"),
    Key("interface", _RANKS, values.text, "name",
        "network adapter for the ranks' traffic, such as `Ethernet 2` or `eth0`",
        "the one that routes to the master"),
    Key("tags", _RANKS, node_names.tags, "list",
        "words that select nodes (`--on @TAG`), in addition to those of the group"),
    Key("env", ("run", *_RANKS), values.environment, "block",
        "environment variables for the ranks; the most specific block wins. `$NAME`, `${NAME}` and `~` are "
        "resolved on the node, `$$` is a dollar sign"),
    Key("secrets", ("run",), secrets.variables, "list of names",
        "names of environment variables of every rank; dtui reads the values from the system keyring, or "
        "asks for them"),

    *(_key_of(option, kind) for kind in WITH_OPTIONS for option in kind.options),
)  # fmt: skip


def check_names(kinds: Iterable[TransportKind]) -> None:
    """Raise ValueError if a transport's block of options would have the name of another key or section."""
    taken = {*FILE_SECTIONS, *(key.name for key in KEYS if key.parse is not None)}
    for kind in kinds:
        if kind.name in taken:
            raise ValueError(f"the transport {kind.name!r} has the name of a key or a section of nodes.yaml")


check_names(WITH_OPTIONS)
_BY_SECTION: Final[dict[SectionName, dict[str, Key]]] = {
    section: {key.name: key for key in KEYS if section in key.sections}
    for section in (*FILE_SECTIONS, *(kind.name for kind in WITH_OPTIONS))
}


def keys_of(section: SectionName) -> dict[str, Key]:
    """Return the keys that may stand in a section, by name, in the table's order; raises KeyError."""
    return _BY_SECTION[section]
