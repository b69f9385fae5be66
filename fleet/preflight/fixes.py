"""What dtui can fix on a node, as the exact commands that it would run. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from agent.powershell import PROGRAM
from agent.quoting import Unsafe, command_line, powershell
from agent.repairs import Argv, commands
from agent.wire.message import Message, message
from agent.wire.preflight import Conditions
from fleet.facts import NodeFacts
from fleet.inventory import Node
from fleet.preflight.catalog import DEFAULT_PORTS
from fleet.preflight.pairs import EPHEMERAL, reported_address


class Fix(Struct, frozen=True):
    """One thing to change on a node. Exactly one of ``commands``, ``ends`` and ``interface`` is set.

    ``commands`` are those of ``repair`` with ``values`` (agent.repairs), which are sent to the node.
    """

    node: str
    what: Message
    #: Names of the checks that should pass afterwards.
    checks: tuple[str, ...]
    commands: tuple[Argv, ...] = ()
    #: Processes of earlier runs to end: run and pid.
    ends: tuple[tuple[str, int], ...] = ()
    #: Adapter to write into the inventory.
    interface: str = ""
    needs_administrator: bool = False
    repair: str = ""
    values: tuple[str, ...] = ()
    #: Whether the node runs Windows, for the commands as they are shown.
    windows: bool = False

    @property
    def shown(self) -> Message:
        """The exact steps, one per line."""
        if self.ends:
            steps = [
                message("fix.end-process", "end process {pid} of run {run}", pid=pid, run=run)
                for run, pid in self.ends
            ]
            return message("fix.steps", "{steps:\n}", steps=steps)
        if self.interface:
            return message(
                "fix.write-interface",
                "in the inventory, for {node}: `interface: {adapter}`",
                node=self.node,
                adapter=self.interface,
            )
        return Message("\n".join(command_text(argv, self.windows) for argv in self.commands))


class FixContext(Struct, frozen=True):
    """The input for a node's fixes: its facts, its conditions, and the other nodes."""

    node: Node
    facts: NodeFacts
    conditions: Conditions
    #: Names and addresses of the other nodes.
    others: Mapping[str, str]


def fixes_for(context: FixContext, failed: Sequence[str]) -> list[Fix]:
    """Return the fixes for the failed checks (or warnings) of a node, each fix once."""
    found: list[Fix] = []
    for check in failed:
        make = _maker(check, context.facts["os"]["system"])
        fix = make(context) if make else None
        if fix is not None and fix not in found:
            found.append(fix)
    return found


def fixable(check: str, system: str = "") -> bool:
    """Return whether there is a fix for a check on a system, or on any system when none is given."""
    return _maker(check, system or _WINDOWS) is not None


def command_text(argv: Sequence[str], windows: bool) -> str:
    """Return a command as it is typed on its node; the script of PowerShell as PowerShell reads it."""
    if argv and argv[0] == PROGRAM:
        return " ".join([*argv[:-1], powershell(argv[-1])])
    return command_line(argv, windows)


def _repair(
    context: FixContext,
    repair: str,
    what: Message,
    checks: tuple[str, ...],
    *values: str,
    needs_administrator: bool = False,
) -> Fix | None:
    """Return the fix, or None when a value that the node reports cannot be part of a command."""
    try:
        argvs = commands(repair, values)
    except Unsafe:
        return None
    return Fix(
        context.node.name,
        what,
        checks,
        argvs,
        needs_administrator=needs_administrator,
        repair=repair,
        values=values,
        windows=context.facts["os"]["system"] == _WINDOWS,
    )


def _firewall(context: FixContext) -> Fix | None:
    kind = context.conditions["firewall"]
    # A node may report anything.
    found = {name: reported_address(value) for name, value in context.others.items()}
    addresses = tuple(dict.fromkeys(address for address in found.values() if address is not None))
    if kind not in ("windows", "ufw", "firewalld", "iptables") or not addresses:
        return None
    excluded = [name for name, address in found.items() if address is None]
    if excluded:
        what = message(
            "fix.firewall-without-names",
            "allow {addresses} on all TCP ports, but not {nodes}: a firewall rule needs IP addresses",
            addresses=addresses,
            nodes=excluded,
        )
    else:
        what = message("fix.firewall", "allow {addresses} on all TCP ports", addresses=addresses)
    return _repair(
        context,
        f"firewall-{kind}",
        what,
        (*(str(port) for port in DEFAULT_PORTS), EPHEMERAL),
        *addresses,
        needs_administrator=True,
    )


def _sleep(context: FixContext) -> Fix | None:
    what = message("fix.sleep", "never sleep or hibernate on AC power")
    return _repair(context, "sleep", what, ("sleep",))


def _long_paths(context: FixContext) -> Fix | None:
    what = message("fix.long-paths", "allow paths over 260 characters")
    return _repair(context, "long-paths", what, ("long-paths",), needs_administrator=True)


def _execution_policy(context: FixContext) -> Fix | None:
    return _repair(
        context,
        "execution-policy",
        message("fix.execution-policy", "allow the user to run local scripts and signed scripts"),
        ("execution-policy",),
    )


def _defender(context: FixContext) -> Fix | None:
    return _repair(
        context,
        "defender",
        message("fix.defender", "exclude the project folder from Defender"),
        ("defender",),
        context.conditions["project"],
        needs_administrator=True,
    )


def _adapter(context: FixContext) -> Fix | None:
    adapters = context.facts["adapters"]
    chosen = next(
        (one["name"] for one in adapters if context.node.address in one["addresses"]), None
    ) or next((one["name"] for one in adapters if one["default_route"]), None)
    known = any(one["routes_to_master"] for one in adapters)
    if chosen is None or known or context.node.interface:
        return None
    what = message("fix.adapter", "set the network adapter of the ranks")
    return Fix(context.node.name, what, ("adapter",), interface=chosen)


def _leftovers(context: FixContext) -> Fix | None:
    orphans = context.conditions["orphans"]
    if not orphans:
        return None
    return Fix(
        context.node.name,
        message("fix.leftovers", "end the processes of earlier runs"),
        ("leftovers", "gpu-free", *(str(port) for port in DEFAULT_PORTS)),
        ends=tuple((one["run"], one["pid"]) for one in orphans),
    )


def _compute_mode(context: FixContext) -> Fix | None:
    gpus = context.facts["gpus"]
    prohibited = [str(one["index"]) for one in gpus if one["compute_mode"] == "prohibited"]
    what = message("fix.gpu-mode", "set the GPU to Default compute mode")
    return _repair(context, "gpu-mode", what, ("gpu-mode",), *prohibited, needs_administrator=True)


def _clock(context: FixContext) -> Fix | None:
    what = message("fix.clock", "synchronise the clock with a time server")
    return _repair(context, "clock", what, ("clock",), needs_administrator=True)


_Maker = Callable[[FixContext], Fix | None]
_WINDOWS = "Windows"
_ANYWHERE: Mapping[str, _Maker] = {
    EPHEMERAL: _firewall,
    "adapter": _adapter,
    "leftovers": _leftovers,
    "gpu-mode": _compute_mode,
}
_ON_WINDOWS: Mapping[str, _Maker] = {
    "sleep": _sleep,
    "long-paths": _long_paths,
    "execution-policy": _execution_policy,
    "defender": _defender,
    "clock": _clock,
}


def _maker(check: str, system: str) -> _Maker | None:
    if check.isdigit():
        return _firewall
    return _ANYWHERE.get(check) or (_ON_WINDOWS.get(check) if system == _WINDOWS else None)
