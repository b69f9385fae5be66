"""The machine itself: system, memory, disk, clock, and what earlier runs left."""

from __future__ import annotations

import re

from fleet.nodeset import fold
from fleet.preflight.check import Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.judges.sizes import GB, size

#: Windows 10 1809: OpenSSH server and conhost as dtui needs them.
_OLDEST_BUILD = 17763
#: What `uv sync` puts on a node that has no environment yet: torch for CUDA and its libraries.
_ENVIRONMENT_BYTES = 8 * GB
_LEAST_RAM = 8 * GB
#: CUDA's libraries alone commit about 3 GB in each process on Windows.
_COMMIT_PER_RANK = 6 * GB
_CLOCK_SECONDS = 5.0


def system(subject: Subject) -> Verdict:
    """Judge the operating system."""
    facts = subject["facts"]
    os_facts = facts.get("os") or {}
    seen = " ".join(str(os_facts[key]) for key in ("name", "version") if os_facts.get(key))
    build = os_facts.get("build")
    seen = f"{seen or os_facts.get('system') or 'unknown'}{f', build {build}' if build else ''}"
    if (facts.get("python") or {}).get("bits") == 32:
        return fail(f"{seen}, and its Python is a 32-bit one", "install the 64-bit Python there")
    if os_facts.get("system") == "Windows":
        number = re.match(r"\d+\.\d+\.(\d+)", str(build or ""))
        if number and int(number.group(1)) < _OLDEST_BUILD:
            return fail(f"{seen}: too old", "Windows 10 1809 (build 17763) or newer is needed")
    return ok(seen)


def memory(subject: Subject) -> Verdict:
    """Judge the RAM."""
    ram = subject["facts"].get("ram") or {}
    total, free = ram.get("limit") or ram.get("total"), ram.get("free")
    if total is None:
        return skip("the system does not tell")
    seen = f"{size(total)}" + (f", {size(free)} free" if free is not None else "")
    if total < _LEAST_RAM and not subject.on_loopback:
        return warn(f"{seen}: little for training", "use fewer loader processes (num_workers)")
    if free is not None and free < total * 0.1:
        return warn(f"{seen}: nearly all is in use", "close programs there")
    return ok(seen)


def paging(subject: Subject) -> Verdict:
    """Judge what Windows can still commit: error 1455 is about that, not about RAM."""
    facts = subject["facts"]
    found = facts.get("paging") or {}
    if not subject.on_windows:
        return skip("only Windows refuses memory before it is used")
    limit, free = found.get("commit_limit"), found.get("commit_free")
    if limit is None or free is None:
        return skip("the system does not tell")
    ranks = max(len(facts.get("gpus") or ()), 1)
    seen = f"{size(found.get('total') or 0)} paging file, {size(free)} of {size(limit)} can be committed"
    if free < ranks * _COMMIT_PER_RANK:
        return warn(
            f"{seen}; {ranks} ranks may need {size(ranks * _COMMIT_PER_RANK)} (WinError 1455)",
            "enlarge the paging file (SystemPropertiesPerformance, Advanced), or use fewer loader processes",
        )
    return ok(seen)


def disk(subject: Subject) -> Verdict:
    """Judge the space at the project's place against what a deploy brings."""
    found, conditions = subject["facts"].get("disk") or {}, subject["conditions"]
    free = found.get("free")
    if not conditions["writable"]:
        return fail(
            f"{found.get('path')} can't be written to by {subject['facts'].get('user')}",
            "give the user the right, or choose another `project` folder for the node",
        )
    if free is None:
        return skip("the system does not tell")
    seen = f"{size(free)} free at {found.get('path')}"
    is_source = subject.node.transport == "local" and subject.node.name == (
        subject.situation.inventory.master.name
    )
    coming = 0 if is_source else max((subject.situation.deploy_bytes or 0) - conditions["deployed"], 0)
    if free < coming:
        return fail(
            f"{seen}, and {size(coming)} are to be deployed",
            "free some space, choose another `project` folder, or leave data out (.dtuiignore)",
        )
    wants_uv = subject.node.environment == "uv" and conditions["environment"] is None
    if wants_uv and free - coming < _ENVIRONMENT_BYTES:
        return warn(f"{seen}; an environment with torch for CUDA takes about {size(_ENVIRONMENT_BYTES)}")
    if free - coming < GB / 4:
        return warn(f"{seen}: checkpoints and logs need some, too", "free some space")
    return ok(seen + (f", {size(coming)} are to be deployed" if coming else ""))


def clock(subject: Subject) -> Verdict:
    """Judge the node's clock against the master's."""
    found = subject["link"].get("clock")
    if found is None:
        return skip("not asked")
    offset, doubt = found["offset"], found["doubt"]
    if abs(offset) <= max(doubt, 0.05):
        return ok(f"within {max(abs(offset), doubt):.2f} s of the master")
    seen = f"{abs(offset):.1f} s {'ahead of' if offset > 0 else 'behind'} the master"
    if abs(offset) - doubt > _CLOCK_SECONDS:
        return warn(
            f"{seen}: logs can't be put in order, and Kerberos and TLS refuse logins when it grows",
            "set the clock (w32tm /resync, or timedatectl set-ntp true)",
        )
    return ok(seen)


def leftovers(subject: Subject) -> Verdict:
    """Judge what earlier runs left running."""
    conditions = subject["conditions"]
    if conditions["under_way"]:
        runs = ", ".join(conditions["under_way"])
        return warn(f"run {runs} is under way in this project", "dtui stop, or wait for its end")
    orphans = conditions["orphans"]
    if orphans:
        pids = ", ".join(str(one["pid"]) for one in orphans[:5])
        runs = fold(sorted({one["run"] for one in orphans}))
        return warn(
            f"{len(orphans)} processes of {runs} still run (pid {pids})",
            "end them: dtui preflight --fix, or dtui stop",
        )
    return ok("nothing of earlier runs")
