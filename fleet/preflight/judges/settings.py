"""Settings of a node that a person may have to change, most of them Windows'."""

from __future__ import annotations

from typing import Any

from fleet.preflight.check import Subject, Verdict, fail, ok, skip, warn

_NOT_WINDOWS = "only on Windows"
_WINRM_OR_SSH = "scripts run only by `-ExecutionPolicy Bypass`"


def adapter(subject: Subject) -> Verdict:
    """Judge the network adapter that the ranks will use."""
    facts = subject["facts"]
    adapters: list[dict[str, Any]] = list(facts.get("adapters") or ())
    wanted = subject.node.interface
    chosen = next((one for one in adapters if one["name"] == wanted), None) if wanted else None
    if wanted and chosen is None:
        return fail(
            f"there is no adapter {wanted!r}; it has {', '.join(repr(one['name']) for one in adapters)}",
            "correct `interface` of the node",
        )
    chosen = chosen or next((one for one in adapters if one.get("routes_to_master")), None)
    if chosen is None:
        if len(subject.situation.nodes) < 2:
            return skip("there is only one node")
        guess = next((one for one in adapters if one.get("default_route")), None)
        hint = f" The default route goes over {guess['name']!r}." if guess else ""
        return warn(
            f"which adapter leads to the master is not known, so torch guesses.{hint}",
            "set `interface` of the node (dtui preflight --fix)",
        )
    if chosen.get("loopback") and not subject.on_loopback and not _is_master(subject):
        return fail(
            f"{chosen['name']} is loopback: nobody else can reach it",
            "correct the hosts file: the master's name must not mean 127.x there",
        )
    addresses = [text for text in chosen.get("addresses") or () if ":" not in text]
    speed = chosen.get("speed_mbps")
    seen = f"{chosen['name']}, {', '.join(addresses)}" if addresses else f"{chosen['name']}, no IPv4 address"
    seen += f", {speed / 1000:g} Gbit/s" if speed else ""
    if not addresses:
        return warn(f"{seen}: mixed IPv4 and IPv6 peers don't find each other", "give it an IPv4 address")
    if not chosen["name"].isascii():
        return warn(
            f"{seen}: gloo may not find a name that is not ASCII",
            f"rename it there: Rename-NetAdapter -Name '{chosen['name']}' -NewName 'Ethernet'",
        )
    first = next(iter(chosen.get("addresses") or ()), "")
    if (
        subject.on_windows
        and ":" in first
        and not chosen.get("loopback")
        and len(subject.situation.nodes) > 1
    ):
        # lookupAddrForIface of gloo's uv transport, which Windows has, is content with either version.
        return warn(
            f"{seen}: gloo takes the first address that Windows lists, {first}, not the one that was tried",
            "if the ranks do not join, switch IPv6 off there: "
            f"Disable-NetAdapterBinding -Name '{chosen['name']}' -ComponentID ms_tcpip6",
        )
    if chosen.get("wireless"):
        return warn(f"{seen}: wireless", "use a cable: gradients go over it at every step")
    if speed and speed < 1000 and not chosen.get("loopback"):
        return warn(f"{seen}: slow for gradients", "use a faster port or cable; dtui forecast tells how slow")
    return ok(seen)


def power(subject: Subject) -> Verdict:
    """Judge the power plan."""
    plan = (subject["facts"].get("power") or {}).get("plan")
    if plan is None:
        return skip("the system does not tell")
    saving = ("power saver", "절전", "powersave")
    if any(word in plan.lower() for word in saving):
        return warn(f"plan {plan!r} slows the processor", "choose a balanced or high-performance plan")
    return ok(f"plan {plan!r}")


def sleep(subject: Subject) -> Verdict:
    """Judge whether the machine will sleep while it trains."""
    found = subject["facts"].get("power") or {}
    sleeps, hibernates = found.get("sleep_minutes_ac"), found.get("hibernate_minutes_ac")
    if sleeps is None and hibernates is None:
        return skip("the system does not tell")
    if not sleeps and not hibernates:
        return ok("stays awake on AC")
    if sleeps and hibernates:
        seen = f"sleeps after {sleeps} min, hibernates after {hibernates} min"
    else:
        seen = f"sleeps after {sleeps} min" if sleeps else f"hibernates after {hibernates} min"
    return warn(f"{seen} without a person at it", "switch it off (dtui preflight --fix)")


def battery(subject: Subject) -> Verdict:
    """Judge whether it runs on a battery."""
    found = subject["facts"].get("power") or {}
    cell = found.get("battery")
    if cell is None:
        return ok("no battery") if found.get("on_ac") is not None else skip("the system does not tell")
    level = f"{cell['percent']} %" if cell.get("percent") is not None else "level unknown"
    if cell.get("discharging") or found.get("on_ac") is False:
        return warn(f"on battery, {level}", "plug it in: GPUs are slow on battery, and it will not last")
    return ok(f"on AC, {level}")


def long_paths(subject: Subject) -> Verdict:
    """Judge whether paths over 260 characters work."""
    value = subject["facts"].get("long_paths")
    if value is None:
        return skip(_NOT_WINDOWS)
    if value:
        return ok("allowed")
    return warn("limited to 260 characters (WinError 206)", "allow long paths (dtui preflight --fix)")


def execution_policy(subject: Subject) -> Verdict:
    """Judge PowerShell's execution policy."""
    value = subject["facts"].get("execution_policy")
    if value is None:
        return skip(_NOT_WINDOWS)
    if value in ("Restricted", "AllSigned"):
        return warn(f"{value}: {_WINRM_OR_SSH}", "set RemoteSigned (dtui preflight --fix)")
    return ok(value)


def defender(subject: Subject) -> Verdict:
    """Judge whether the virus scanner reads along."""
    found = subject["conditions"]["defender"]
    if found is None:
        return skip(_NOT_WINDOWS)
    if not found["watching"]:
        return ok("Defender does not watch in real time")
    project = subject["conditions"]["project"].lower()
    if found["excluded"] is None:
        return skip("only an administrator may read Defender's exclusions")
    if any(_within(project, folder.lower()) for folder in found["excluded"]):
        return ok("the project's folder is excluded from Defender")
    return warn(
        "Defender reads every file of the project: deploys and data loading are slower",
        "exclude the folder (dtui preflight --fix), if your rules allow it",
    )


def utf8(subject: Subject) -> Verdict:
    """Judge whether Korean names and texts will survive."""
    facts = subject["facts"]
    os_facts = facts.get("os") or {}
    settings = {**dict(subject.situation.inventory.run.env), **dict(subject.node.env)}
    if settings.get("PYTHONUTF8", "1") != "1":
        return warn(
            f"the inventory sets PYTHONUTF8={settings['PYTHONUTF8']}: text files are read in the code page",
            "remove PYTHONUTF8 from `env`",
        )
    page = os_facts.get("codepage")
    if page is not None:
        return ok(f"code page {page}; ranks run in UTF-8 mode")
    encoding = str(os_facts.get("encoding") or "unknown")
    return ok(f"{encoding}; ranks run in UTF-8 mode")


def _within(path: str, folder: str) -> bool:
    folder = folder.rstrip("\\/")
    return path == folder or path.startswith((folder + "\\", folder + "/"))


def _is_master(subject: Subject) -> bool:
    return subject.node.name == subject.situation.inventory.master.name
