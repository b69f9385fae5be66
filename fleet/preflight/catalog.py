"""Every check, in the order of the matrix's columns; ``docs/preflight.md`` is generated from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, get_args

from fleet.errors import FleetError
from fleet.frozen import frozen
from fleet.preflight.check import Check, Group
from fleet.preflight.judges import environment, gpus, machine, network, ports, reach, settings
from fleet.preflight.pairs import EPHEMERAL

#: What the guide opens in every firewall; the first is the usual rendezvous.
GUIDE_PORTS: Final = (29500, 29501, 29502, 29503, 29504)
GROUPS: Final[tuple[Group, ...]] = get_args(Group)
#: What is looked at before anything is deployed, and what can only be looked at afterwards.
BEFORE: Final[tuple[Group, ...]] = ("reach", "ports", "machine")
AFTER: Final[tuple[Group, ...]] = ("environment",)

_REACH: Final = (
    Check("ping", "ping", "reach", "a link that loses packets slows every step down",
          ("outside",), reach.ping),
    Check("name", "name resolution", "reach", "a name may mean another machine than you think",
          ("outside", "link"), reach.name),
    Check("ssh", "SSH port and banner", "reach", "SSH is one of the two doors to a node",
          ("outside", "link"), reach.ssh),
    Check("winrm", "WinRM ports and Identify", "reach", "WinRM is one of the two doors to a node",
          ("outside", "link"), reach.winrm),
    Check("reach", "connection", "reach",
          "without a connection to the node nothing can be put on it or started there",
          ("link",), reach.chain("reach")),
    Check("hostkey", "host key", "reach", "somebody in between could read and change everything",
          ("link",), reach.hostkey),
    Check("login", "login", "reach", "dtui does everything on a node as the user that it logs in as",
          ("link",), reach.chain("login")),
    Check("python", "Python for the agent", "reach",
          "dtui's helper on the node is a Python program; it needs 3.9 or newer",
          ("link",), reach.chain("python")),
    Check("agent", "agent", "reach", "the helper copies files, starts ranks and reads their logs",
          ("link", "facts"), reach.agent, may_be_absent=("facts",)),
)  # fmt: skip

_MACHINE: Final = (
    Check("os", "operating system", "machine", "old builds lack what remote operation needs",
          ("facts",), machine.system),
    Check("gpu", "GPUs", "machine", "each GPU is a rank", ("facts",), gpus.gpu),
    Check("gpu-same", "same GPUs everywhere", "machine", "every step waits for the slowest GPU",
          ("facts",), gpus.same_gpus, "fleet"),
    Check("driver", "GPU driver", "machine", "the driver decides which CUDA can be used",
          ("facts",), gpus.driver),
    Check("gpu-mode", "compute mode and MIG", "machine", "a GPU in the wrong mode refuses ranks",
          ("facts",), gpus.mode),
    Check("gpu-free", "GPUs free", "machine", "what others hold is missing for training",
          ("facts",), gpus.busy),
    Check("ram", "memory", "machine", "loader processes keep decoded data in RAM",
          ("facts",), machine.memory),
    Check("paging", "paging file", "machine", "Windows refuses memory beyond RAM and paging file (1455)",
          ("facts",), machine.paging),
    Check("disk", "disk space", "machine", "a deploy and checkpoints need space at the project's folder",
          ("facts", "conditions"), machine.disk),
    Check("clock", "clock", "machine", "logs of several nodes are put in order by their clocks",
          ("link",), machine.clock),
    Check("adapter", "network adapter", "machine", "gloo talks over one adapter, named by its name",
          ("facts",), settings.adapter),
    Check("power", "power plan", "machine", "a saving plan slows the processor", ("facts",), settings.power),
    Check("sleep", "sleep and hibernation", "machine", "a node that falls asleep ends the run",
          ("facts",), settings.sleep),
    Check("battery", "battery", "machine", "a laptop on battery slows down and then stops",
          ("facts",), settings.battery),
    Check("long-paths", "long paths", "machine", "packages have paths over 260 characters",
          ("facts",), settings.long_paths),
    Check("execution-policy", "execution policy", "machine", "a strict policy keeps scripts from running",
          ("facts",), settings.execution_policy),
    Check("defender", "Defender exclusion", "machine", "a scanner slows deploys and data loading down",
          ("conditions",), settings.defender),
    Check("utf8", "UTF-8", "machine", "Korean names and texts must survive on every node",
          ("facts",), settings.utf8),
    Check("leftovers", "leftovers of earlier runs", "machine", "an old rank holds a port and GPU memory",
          ("conditions",), machine.leftovers),
    Check("plan", "layout of the run", "machine", "ranks, backend and meeting point must fit together",
          ("facts",), environment.plan, "fleet"),
)  # fmt: skip

_ENVIRONMENT: Final = (
    Check("environment", "training Python", "environment", "ranks run under it",
          ("conditions",), environment.environment),
    Check("python-same", "same Python", "environment", "checkpoints and messages are pickled between ranks",
          ("conditions",), environment.same("Python", environment.python_of, decisive=False), "fleet"),
    Check("torch", "same torch", "environment", "different versions of torch don't understand each other",
          ("conditions",), environment.same("torch", environment.package_of("torch")), "fleet"),
    Check("accelerate", "same accelerate", "environment", "different versions set a run up differently",
          ("conditions",),
          environment.same("accelerate", environment.package_of("accelerate"), decisive=False), "fleet"),
    Check("backend", "backend", "environment", "gloo or nccl must be in torch, and start",
          ("facts", "conditions", "trial"), environment.backend, "fleet"),
    Check("cuda", "CUDA build", "environment", "torch's CUDA must be one that the driver runs",
          ("facts", "conditions"), gpus.cuda),
    Check("gpu-computes", "GPUs compute", "environment",
          "a session that starts ranks may see other GPUs than yours", ("facts", "trial"), gpus.computes),
    Check("code", "same code", "environment", "ranks with different code train different models, or hang",
          ("conditions", "code"), environment.code, "fleet"),
    Check("data", "same data", "environment", "each rank reads its part of the same list of files",
          ("conditions", "data"), environment.data, "fleet"),
    Check("config", "configuration", "environment", "a wrong option ends every rank at its start",
          ("config",), environment.config),
    Check("batch", "batch", "environment", "every rank needs its share of each batch",
          ("facts", "config", "data"), environment.batch, "fleet"),
)  # fmt: skip

_NETWORK: Final = (
    Check("latency", "latency", "network", "each all-reduce is a chain of small messages",
          ("links",), network.latency, "pair"),
    Check("bandwidth", "bandwidth", "network", "gradients of every step go over the slowest link",
          ("links",), network.bandwidth, "pair"),
)  # fmt: skip


class NoSuchCheck(FleetError):
    """A name is neither a check nor a group of checks."""


def checks_for(rendezvous: int = GUIDE_PORTS[0]) -> tuple[Check, ...]:
    """Return all checks for a run that meets at this port, in the order of the columns."""
    columns = tuple(
        Check(str(port), f"port {port}", "ports", "ranks meet at the rendezvous port of rank 0's node",
              ("link", "ports", "mesh"), ports.fixed_port(port), "pair")
        for port in ports_for(rendezvous)
    )  # fmt: skip
    last = Check(EPHEMERAL, "a port of the system's choice", "ports",
                 "every rank also listens at one, which can't be fixed",
                 ("link", "facts", "mesh"), ports.ephemeral, "pair")  # fmt: skip
    return (*_REACH, *columns, last, *_MACHINE, *_ENVIRONMENT, *_NETWORK)


def ports_for(rendezvous: int) -> tuple[int, ...]:
    """Return the guide's ports, with the rendezvous if it is another."""
    return tuple(sorted({*GUIDE_PORTS, rendezvous}))


def select(checks: Iterable[Check], wanted: Iterable[str]) -> tuple[Check, ...]:
    """Return the checks that names (of checks or groups, or ``all``) stand for; raises NoSuchCheck."""
    everything, chosen = tuple(checks), set()
    for name in wanted:
        found = {check.name for check in everything if name in (check.name, check.group, "all")}
        if not found:
            known = [*GROUPS, *(check.name for check in everything)]
            close = difflib.get_close_matches(name, known, n=1)
            raise NoSuchCheck(
                f"there is no check {name!r}",
                remedy=f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}",
            )
        chosen |= found
    return tuple(check for check in everything if check.name in chosen)


@frozen
class Column:
    """A column of the console's matrix."""

    name: str
    title: str
    group: Group
    why: str


def columns(rendezvous: int = GUIDE_PORTS[0]) -> tuple[Column, ...]:
    """Return all columns in their order."""
    return tuple(Column(check.name, check.title, check.group, check.why) for check in checks_for(rendezvous))
