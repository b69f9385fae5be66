"""Settings of a node that the user may have to change, most of them on Windows."""

from __future__ import annotations

import re
from typing import Final

from agent.wire.facts import AdapterFacts
from agent.wire.message import Message, message
from agent.wire.text import quote
from fleet.addresses import ip_address
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.checks.machine import NOT_REPORTED
from fleet.preflight.observations import CONDITIONS, FACTS

_NOT_WINDOWS = skip(message("preflight.windows-only", "Windows only"))
_POWERSHELL = re.compile(r"(?:powershell|pwsh)(?:\.exe)?$", re.IGNORECASE)
#: Words in the names of power plans that slow the CPU down, in the languages seen so far.
_SAVING_PLANS = ("power saver", "절전", "powersave")


def adapter(subject: Subject) -> Verdict:
    """Evaluate the network adapter that the ranks will use."""
    adapters, node = subject[FACTS]["adapters"], subject.node
    wanted = node.interface
    chosen = next((one for one in adapters if one["name"] == wanted), None) if wanted else None
    if wanted and chosen is None:
        return fail(
            message(
                "preflight.adapter-missing",
                "{node} has no adapter {adapter!r}; it has {adapters}",
                node=node.name,
                adapter=wanted,
                adapters=[quote(one["name"]) for one in adapters],
            ),
            message("preflight.adapter-missing.remedy", "correct `interface` of {node}", node=node.name),
        )
    chosen = chosen or next((one for one in adapters if one["routes_to_master"]), None)
    if chosen is None:
        return _unknown_adapter(subject)
    if chosen["loopback"] and not subject.on_loopback and not _is_master(subject):
        return fail(
            message(
                "preflight.adapter-loopback",
                "{adapter} is a loopback adapter: other nodes cannot connect to it",
                adapter=chosen["name"],
            ),
            message(
                "preflight.adapter-loopback.remedy",
                "correct the hosts file on {node}: the master's name must not resolve to 127.x",
                node=node.name,
            ),
        )
    return _address_problem(subject, chosen) or _speed(chosen)


def _unknown_adapter(subject: Subject) -> Verdict:
    if len(subject.situation.nodes) < 2:
        return skip(message("preflight.adapter-single-node", "the run has only one node"))
    remedy = message(
        "preflight.adapter-unknown.remedy",
        "set `interface` of {node} (dtui preflight --fix)",
        node=subject.node.name,
    )
    seen = message(
        "preflight.adapter-unknown", "the adapter that leads to the master is unknown, so torch guesses"
    )
    default = next((one for one in subject[FACTS]["adapters"] if one["default_route"]), None)
    if default is None:
        return warn(seen, remedy)
    return warn(
        message(
            "preflight.adapter-default-route",
            "{problem}; the default route uses {adapter!r}",
            problem=seen,
            adapter=default["name"],
        ),
        remedy,
    )


def _address_problem(subject: Subject, chosen: AdapterFacts) -> Verdict | None:
    """Return the verdict on an adapter whose name or addresses may keep gloo from connecting."""
    node, seen = subject.node.name, _described(chosen)
    if not _ipv4(chosen):
        return warn(
            message(
                "preflight.adapter-no-ipv4",
                "{adapter}: IPv4 and IPv6 peers cannot connect to each other",
                adapter=seen,
            ),
            message(
                "preflight.adapter-no-ipv4.remedy", "give the adapter of {node} an IPv4 address", node=node
            ),
        )
    if not chosen["name"].isascii():
        return warn(
            message(
                "preflight.adapter-not-ascii",
                "{adapter}: gloo may not find an adapter whose name is not ASCII",
                adapter=seen,
            ),
            message(
                "preflight.adapter-not-ascii.remedy",
                "rename it on {node}: Rename-NetAdapter -Name '{adapter}' -NewName 'Ethernet'",
                node=node,
                adapter=chosen["name"],
            ),
        )
    first = next(iter(chosen["addresses"]), "")
    if subject.on_windows and ":" in first and not chosen["loopback"] and len(subject.situation.nodes) > 1:
        # lookupAddrForIface of gloo's uv transport, which Windows has, accepts either version.
        return warn(
            message(
                "preflight.adapter-ipv6-first",
                "{adapter}: gloo uses the first address that Windows lists, {address}, not the tested one",
                adapter=seen,
                address=first,
            ),
            message(
                "preflight.adapter-ipv6-first.remedy",
                "if the ranks do not join, disable IPv6 on {node}: Disable-NetAdapterBinding "
                "-Name '{adapter}' -ComponentID ms_tcpip6",
                node=node,
                adapter=chosen["name"],
            ),
        )
    return None


def _speed(chosen: AdapterFacts) -> Verdict:
    seen, speed = _described(chosen), chosen["speed_mbps"]
    if chosen["wireless"]:
        return warn(
            message("preflight.adapter-wireless", "{adapter}: wireless", adapter=seen),
            message(
                "preflight.adapter-wireless.remedy",
                "use a cable: every step sends gradients over the adapter",
            ),
        )
    if speed and speed < 1000 and not chosen["loopback"]:
        return warn(
            message("preflight.adapter-slow", "{adapter}: slow for gradients", adapter=seen),
            message(
                "preflight.adapter-slow.remedy",
                "use a faster port or cable; dtui forecast estimates the effect",
            ),
        )
    return ok(seen)


def _described(chosen: AdapterFacts) -> Message:
    addresses, speed = _ipv4(chosen), chosen["speed_mbps"]
    if addresses:
        seen = message(
            "preflight.adapter", "{adapter}, {addresses}", adapter=chosen["name"], addresses=addresses
        )
    else:
        seen = message("preflight.adapter-without-ipv4", "{adapter}, no IPv4 address", adapter=chosen["name"])
    if not speed:
        return seen
    return message("preflight.adapter-speed", "{adapter}, {speed:g} Gbit/s", adapter=seen, speed=speed / 1000)


def _ipv4(chosen: AdapterFacts) -> list[str]:
    return [text for text in chosen["addresses"] if (ip := ip_address(text)) is not None and ip.version == 4]


def power(subject: Subject) -> Verdict:
    """Evaluate the power plan."""
    plan = subject[FACTS]["power"]["plan"]
    if plan is None:
        return NOT_REPORTED
    if any(word in plan.lower() for word in _SAVING_PLANS):
        return warn(
            message("preflight.power-saving", "plan {plan!r} slows the CPU down", plan=plan),
            message(
                "preflight.power-saving.remedy",
                "choose a balanced or high-performance plan on {node}",
                node=subject.node.name,
            ),
        )
    return ok(message("preflight.power", "plan {plan!r}", plan=plan))


def sleep(subject: Subject) -> Verdict:
    """Evaluate whether the machine sleeps during training."""
    found = subject[FACTS]["power"]
    sleeps, hibernates = found["sleep_minutes_ac"], found["hibernate_minutes_ac"]
    if sleeps is None and hibernates is None:
        return NOT_REPORTED
    if sleeps and hibernates:
        seen = message(
            "preflight.sleep-and-hibernation",
            "sleeps after {sleep} min and hibernates after {hibernation} min without user input",
            sleep=sleeps,
            hibernation=hibernates,
        )
    elif sleeps:
        seen = message("preflight.sleep", "sleeps after {minutes} min without user input", minutes=sleeps)
    elif hibernates:
        seen = message(
            "preflight.hibernation", "hibernates after {minutes} min without user input", minutes=hibernates
        )
    else:
        return ok(message("preflight.sleep-never", "does not sleep on AC power"))
    return warn(seen, message("preflight.sleep.remedy", "turn it off (dtui preflight --fix)"))


def battery(subject: Subject) -> Verdict:
    """Evaluate whether it runs on a battery."""
    found = subject[FACTS]["power"]
    cell = found["battery"]
    if cell is None:
        if found["on_ac"] is None:
            return NOT_REPORTED
        return ok(message("preflight.battery-none", "no battery"))
    if cell["percent"] is None:
        level = message("preflight.battery-level-unknown", "charge unknown")
    else:
        level = message("preflight.battery-level", "{percent}%", percent=cell["percent"])
    if cell["discharging"] or found["on_ac"] is False:
        return warn(
            message("preflight.battery-in-use", "on battery, {level}", level=level),
            message(
                "preflight.battery-in-use.remedy",
                "connect {node} to AC power: GPUs are slow on battery, and the battery runs out",
                node=subject.node.name,
            ),
        )
    return ok(message("preflight.battery", "on AC power, {level}", level=level))


def long_paths(subject: Subject) -> Verdict:
    """Evaluate whether paths over 260 characters work."""
    value = subject[FACTS]["long_paths"]
    if value is None:
        return _NOT_WINDOWS
    if value:
        return ok(message("preflight.long-paths", "allowed"))
    return warn(
        message("preflight.long-paths-off", "limited to 260 characters (WinError 206)"),
        message("preflight.long-paths-off.remedy", "allow long paths (dtui preflight --fix)"),
    )


def execution_policy(subject: Subject) -> Verdict:
    """Evaluate PowerShell's execution policy."""
    value = subject[FACTS]["execution_policy"]
    if value is None:
        return _NOT_WINDOWS
    if value in ("Restricted", "AllSigned"):
        return warn(
            message(
                "preflight.execution-policy-strict",
                "{policy}: scripts run only with `-ExecutionPolicy Bypass`",
                policy=value,
            ),
            message("preflight.execution-policy-strict.remedy", "set RemoteSigned (dtui preflight --fix)"),
        )
    return ok(Message(value))


def login_shell(subject: Subject) -> Verdict:
    """Evaluate what runs the commands of a login: it works, since the agent was started through it."""
    found = subject[FACTS]["login_shell"]
    if found is None:
        return _NOT_WINDOWS
    shell = found["default_shell"] or "cmd.exe"
    if found["autorun"]:
        return warn(
            message(
                "preflight.login-shell-autorun",
                "{shell}; each cmd.exe first runs {commands:; } (AutoRun)",
                shell=shell,
                commands=found["autorun"],
            ),
            message(
                "preflight.login-shell-autorun.remedy",
                "if logins to {node} fail or are slow, remove the value AutoRun in "
                r"Software\Microsoft\Command Processor of HKLM and HKCU",
                node=subject.node.name,
            ),
        )
    if _POWERSHELL.search(shell):
        return ok(
            message(
                "preflight.login-shell-powershell",
                "{shell}; each connection starts it with the account's profile",
                shell=shell,
            )
        )
    return ok(Message(shell))


def defender(subject: Subject) -> Verdict:
    """Evaluate whether the virus scanner reads the project."""
    found = subject[CONDITIONS]["defender"]
    if found is None:
        return _NOT_WINDOWS
    if not found["watching"]:
        return ok(message("preflight.defender-off", "Defender's real-time protection is off"))
    project = subject[CONDITIONS]["project"].lower()
    if found["excluded"] is None:
        return skip(
            message("preflight.defender-unknown", "only an administrator can read Defender's exclusions")
        )
    if any(_within(project, folder.lower()) for folder in found["excluded"]):
        return ok(message("preflight.defender", "the project folder is excluded from Defender"))
    return warn(
        message(
            "preflight.defender-scans",
            "Defender scans every project file, which slows deploys and data loading down",
        ),
        message(
            "preflight.defender-scans.remedy",
            "exclude the project folder (dtui preflight --fix), if your security policy allows it",
        ),
    )


def utf8(subject: Subject) -> Verdict:
    """Evaluate whether Korean names and texts are preserved."""
    os_facts = subject[FACTS]["os"]
    if subject.env.get("PYTHONUTF8", "1") != "1":
        return warn(
            message(
                "preflight.utf8-off",
                "the inventory sets PYTHONUTF8={value}: text files are read in the code page",
                value=subject.env["PYTHONUTF8"],
            ),
            message(
                "preflight.utf8-off.remedy",
                "remove PYTHONUTF8 from `env` of the inventory, or set it to 1",
            ),
        )
    page = os_facts["codepage"]
    if page is not None:
        return ok(message("preflight.utf8-code-page", "code page {page}; ranks run in UTF-8 mode", page=page))
    if not os_facts["encoding"]:
        return ok(message("preflight.utf8-unknown", "unknown encoding; ranks run in UTF-8 mode"))
    return ok(message("preflight.utf8", "{encoding}; ranks run in UTF-8 mode", encoding=os_facts["encoding"]))


def _within(path: str, folder: str) -> bool:
    folder = folder.rstrip("\\/")
    return path == folder or path.startswith((folder + "\\", folder + "/"))


def _is_master(subject: Subject) -> bool:
    return subject.node.name == subject.situation.inventory.master.name


CHECKS: Final = (
    Check("adapter", message("check.adapter", "network adapter"), "machine",
          message("check.adapter.why", "gloo uses one network adapter, selected by its name"),
          (FACTS,), adapter),
    Check("power", message("check.power", "power plan"), "machine",
          message("check.power.why", "a power-saving plan slows the CPU down"),
          (FACTS,), power),
    Check("sleep", message("check.sleep", "sleep and hibernation"), "machine",
          message("check.sleep.why", "a node that goes to sleep ends the run"),
          (FACTS,), sleep),
    Check("battery", message("check.battery", "battery"), "machine",
          message("check.battery.why", "a laptop on battery slows down and then stops"),
          (FACTS,), battery),
    Check("long-paths", message("check.long-paths", "long paths"), "machine",
          message("check.long-paths.why", "packages have paths over 260 characters"),
          (FACTS,), long_paths),
    Check("execution-policy", message("check.execution-policy", "execution policy"), "machine",
          message("check.execution-policy.why", "a strict policy prevents scripts from running"),
          (FACTS,), execution_policy),
    Check("login-shell", message("check.login-shell", "login shell"), "machine",
          message("check.login-shell.why", "start files of a login shell can disturb connections"),
          (FACTS,), login_shell),
    Check("defender", message("check.defender", "Defender exclusion"), "machine",
          message("check.defender.why", "a virus scanner slows deploys and data loading down"),
          (CONDITIONS,), defender),
    Check("utf8", message("check.utf8", "UTF-8"), "machine",
          message("check.utf8.why", "Korean names and texts must be preserved on every node"),
          (FACTS,), utf8),
)  # fmt: skip
