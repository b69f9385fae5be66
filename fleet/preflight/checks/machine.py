"""The machine itself: operating system, memory, disk, clock, and processes of earlier runs."""

from __future__ import annotations

from typing import Final

from agent.wire.message import message
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.observations import CONDITIONS, FACTS, LINK, LinkFailed

#: Size of an environment that `uv sync` creates: torch for CUDA and its libraries.
_ENVIRONMENT_BYTES = 8 << 30
#: For checkpoints and logs.
_LEAST_DISK = 1 << 28
#: A machine of 8 GiB reports a little less.
_LEAST_RAM = 8_000_000_000
#: CUDA's libraries alone commit about 3 GB in each process on Windows.
_COMMIT_PER_RANK = 6 << 30
_CLOCK_SECONDS = 5.0
NOT_REPORTED = skip(message("preflight.not-reported", "not reported by the OS"))


def memory(subject: Subject) -> Verdict:
    """Evaluate the RAM."""
    ram = subject[FACTS]["ram"]
    total, free = ram["limit"] or ram["total"], ram["free"]
    if total is None:
        return NOT_REPORTED
    if free is None:
        seen = message("preflight.ram-total", "{total:bytes}", total=total)
    else:
        seen = message("preflight.ram", "{total:bytes}, {free:bytes} free", total=total, free=free)
    if total < _LEAST_RAM and not subject.on_loopback:
        return warn(
            message("preflight.ram-small", "{memory}: little memory for training", memory=seen),
            message("preflight.ram-small.remedy", "use fewer data loader processes (num_workers)"),
        )
    if free is not None and free < total * 0.1:
        return warn(
            message("preflight.ram-full", "{memory}: almost all in use", memory=seen),
            message("preflight.ram-full.remedy", "close programs on {node}", node=subject.node.name),
        )
    return ok(seen)


def paging(subject: Subject) -> Verdict:
    """Evaluate the memory that Windows can still commit: error 1455 is about that, not about RAM."""
    facts = subject[FACTS]
    found = facts["paging"]
    if not subject.on_windows:
        return skip(message("preflight.paging-windows", "Windows only (commit limit)"))
    limit, free = found["commit_limit"], found["commit_free"]
    if limit is None or free is None:
        return NOT_REPORTED
    ranks = max(len(facts["gpus"]), 1)
    seen = message(
        "preflight.paging",
        "{file:bytes} paging file, {free:bytes} of {limit:bytes} commit limit free",
        file=found["total"] or 0,
        free=free,
        limit=limit,
    )
    if free < ranks * _COMMIT_PER_RANK:
        return warn(
            message(
                "preflight.paging-small",
                "{paging}; {ranks:n rank} may need {needed:bytes} (WinError 1455)",
                paging=seen,
                ranks=ranks,
                needed=ranks * _COMMIT_PER_RANK,
            ),
            message(
                "preflight.paging-small.remedy",
                "increase the paging file of {node} (SystemPropertiesPerformance, Advanced), or use fewer "
                "data loader processes",
                node=subject.node.name,
            ),
        )
    return ok(seen)


def _missing_data(subject: Subject) -> int:
    """Return the bytes of data that a deploy still has to copy to the node."""
    found, situation = subject[CONDITIONS]["data"], subject.situation
    if found is None or found["present"] is None or situation.data is None:
        return 0
    if situation.data.is_source(situation.inventory, subject.node):
        return 0
    return max((situation.data_bytes or 0) - found["present"], 0)


def disk(subject: Subject) -> Verdict:
    """Evaluate the space in the project folder against the size of a deploy."""
    found, conditions, node = subject[FACTS]["disk"], subject[CONDITIONS], subject.node
    free = found["free"]
    if not conditions["writable"]:
        user = subject[FACTS]["user"] or message("preflight.disk-login-user", "the login user")
        return fail(
            message(
                "preflight.disk-read-only", "{user} cannot write to {path}", user=user, path=found["path"]
            ),
            message(
                "preflight.disk-read-only.remedy",
                "grant {user} write permission on {node}, or choose another `project` folder for it",
                user=user,
                node=node.name,
            ),
        )
    if free is None:
        return NOT_REPORTED
    seen = message("preflight.disk", "{free:bytes} free in {path}", free=free, path=found["path"])
    is_source = node.kind.is_local and node.name == subject.situation.inventory.master.name
    needed = 0 if is_source else max((subject.situation.deploy_bytes or 0) - conditions["deployed"], 0)
    place, data = conditions["data"], _missing_data(subject)
    data_remedy = message(
        "preflight.disk-data.remedy",
        "free disk space on {node}, or name a folder on another disk in nodes.yaml: "
        "`data: {{on: {{{node}: FOLDER}}}}`",
        node=node.name,
    )
    if place is not None and place["apart"]:
        if place["free"] is not None and place["free"] < data:
            what = message(
                "preflight.disk-data",
                "{free:bytes} free in {path}, but the data needs {needed:bytes}",
                free=place["free"],
                path=place["path"],
                needed=data,
            )
            return fail(what, data_remedy)
        data = 0
    needed += data
    if free < needed and data:
        what = message(
            "preflight.disk-full-data",
            "{disk}, but the deploy needs {needed:bytes}, {data:bytes} of them for data",
            disk=seen,
            needed=needed,
            data=data,
        )
        return fail(what, data_remedy)
    if free < needed:
        return fail(
            message(
                "preflight.disk-full",
                "{disk}, but the deploy needs {needed:bytes}",
                disk=seen,
                needed=needed,
            ),
            message(
                "preflight.disk-full.remedy",
                "free disk space on {node}, choose another `project` folder, or exclude data from the deploy "
                "(.dtuiignore)",
                node=node.name,
            ),
        )
    free_space = message("preflight.disk-low.remedy", "free disk space on {node}", node=node.name)
    needs_environment = node.environment == "uv" and conditions["environment"] is None
    if needs_environment and free - needed < _ENVIRONMENT_BYTES:
        return warn(
            message(
                "preflight.disk-environment",
                "{disk}; an environment with torch for CUDA takes about {needed:bytes}",
                disk=seen,
                needed=_ENVIRONMENT_BYTES,
            ),
            free_space,
        )
    if free - needed < _LEAST_DISK:
        return warn(
            message("preflight.disk-low", "{disk}: checkpoints and logs need space too", disk=seen),
            free_space,
        )
    if not needed:
        return ok(seen)
    return ok(message("preflight.disk-deploy", "{disk}, {needed:bytes} to deploy", disk=seen, needed=needed))


def clock(subject: Subject) -> Verdict:
    """Evaluate the node's clock against the master's."""
    link = subject[LINK]
    if isinstance(link, LinkFailed):
        return skip(message("preflight.clock-unknown", "not checked"))
    offset, uncertainty = link.clock.offset, link.clock.uncertainty
    if abs(offset) <= max(uncertainty, 0.05):
        return ok(
            message(
                "preflight.clock",
                "within {seconds:.2f} s of the master",
                seconds=max(abs(offset), uncertainty),
            )
        )
    if offset > 0:
        seen = message("preflight.clock-ahead", "{seconds:.1f} s ahead of the master", seconds=offset)
    else:
        seen = message("preflight.clock-behind", "{seconds:.1f} s behind the master", seconds=-offset)
    if abs(offset) - uncertainty > _CLOCK_SECONDS:
        return warn(
            message(
                "preflight.clock-wrong",
                "{clock}: logs cannot be sorted by time, and Kerberos and TLS reject logins if the "
                "difference grows",
                clock=seen,
            ),
            message(
                "preflight.clock-wrong.remedy",
                "set the clock of {node} (w32tm /resync, or timedatectl set-ntp true)",
                node=subject.node.name,
            ),
        )
    return ok(seen)


CHECKS: Final = (
    Check("ram", message("check.ram", "memory"), "machine",
          message("check.ram.why", "data loader processes keep decoded data in RAM"),
          (FACTS,), memory),
    Check("paging", message("check.paging", "paging file"), "machine",
          message("check.paging.why",
                  "Windows commits no more memory than RAM and paging file hold (WinError 1455)"),
          (FACTS,), paging),
    Check("disk", message("check.disk", "disk space"), "machine",
          message("check.disk.why", "a deploy and checkpoints need space in the project folder"),
          (FACTS, CONDITIONS), disk),
    Check("clock", message("check.clock", "clock"), "machine",
          message("check.clock.why", "logs of several nodes are sorted by their time stamps"),
          (LINK,), clock),
)  # fmt: skip
