"""CPU, memory, disk and network of the machine as rates between two readings."""

from __future__ import annotations

import os
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple, Union

from agent.facts import machine
from agent.facts.routes import routed, towards_master
from agent.wire.facts import AdapterFacts
from agent.wire.gpu import Gpu
from agent.wire.telemetry import CpuLoad, DiskLoad, MemoryLoad, NetworkLoad

Counters = Dict[str, Optional[int]]

_KEYS = ("cpu_busy", "cpu_total", "read", "write", "rx", "tx")
#: An adapter may appear, or the route may change, while we watch.
_ROUTE_SECONDS = 60.0


class HostLoad(NamedTuple):
    """The part of a sample that is not about GPUs."""

    cpu: CpuLoad
    ram: MemoryLoad
    paging: MemoryLoad
    disk: DiskLoad
    network: NetworkLoad


class HostSampler:
    """Rates since the sample before; the first has none. ``master`` chooses the adapter that counts."""

    def __init__(self, master: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._master = master
        self._clock = clock
        self._before: Optional[Tuple[float, Counters]] = None
        self._routed_at: Optional[float] = None
        self._adapter: Optional[AdapterFacts] = None

    def sample(self) -> HostLoad:
        """Take one sample."""
        now = self._clock()
        if self._routed_at is None or now - self._routed_at > _ROUTE_SECONDS:
            self._choose_adapter(now)
        counters = dict.fromkeys(_KEYS)
        counters.update(_read_counters(self._adapter))
        rates = self._rates(now, counters)
        ram, paging = machine.memory()
        adapter = self._adapter
        return HostLoad(
            cpu={"util": rates["cpu"]},
            ram={"total": ram["total"], "used": _used(ram["total"], ram["free"])},
            paging={"total": paging["total"], "used": _used(paging["total"], paging["free"])},
            disk={"read": rates["read"], "write": rates["write"]},
            network={
                "adapter": adapter["name"] if adapter else None,
                "speed_mbps": adapter["speed_mbps"] if adapter else None,
                "rx": rates["rx"],
                "tx": rates["tx"],
            },
        )

    def _choose_adapter(self, now: float) -> None:
        adapters, _ = routed(machine.adapters(), self._master)
        chosen = towards_master(adapters)
        if chosen is None or self._adapter is None or chosen["name"] != self._adapter["name"]:
            self._before = None  # counters of another adapter
        self._adapter = chosen
        self._routed_at = now

    def _rates(self, now: float, counters: Counters) -> Dict[str, Optional[float]]:
        before = self._before
        self._before = (now, counters)
        rates: Dict[str, Optional[float]] = dict.fromkeys(("cpu", "read", "write", "rx", "tx"))
        if before is None or now <= before[0]:
            return rates
        grown = {key: _growth(before[1][key], counters[key]) for key in _KEYS}
        busy, total = grown["cpu_busy"], grown["cpu_total"]
        if busy is not None and total:
            rates["cpu"] = min(100.0 * busy / total, 100.0)
        for key in ("read", "write", "rx", "tx"):
            count = grown[key]
            rates[key] = None if count is None else count / (now - before[0])
        return rates


def _read_counters(adapter: Optional[AdapterFacts]) -> Counters:
    if os.name == "nt":
        from agent.facts import windows_counters

        return windows_counters.counters(adapter["index"] if adapter else None)
    from agent.facts import linux_counters

    return linux_counters.counters(adapter["name"] if adapter else None)


def _growth(before: Optional[int], after: Optional[int]) -> Optional[int]:
    # A counter that runs backwards was reset (an adapter was taken out and put in again).
    return None if before is None or after is None or after < before else after - before


def _used(total: Optional[int], free: Optional[int]) -> Optional[int]:
    return None if total is None or free is None else total - free


def choose(gpus: List[Gpu], wanted: Union[int, List[int], None]) -> List[Gpu]:
    """Return the GPUs that the inventory gives this node: a list of numbers, how many, or None for all."""
    if isinstance(wanted, list):
        return [gpu for gpu in gpus if gpu["index"] in wanted]
    if isinstance(wanted, int):
        return gpus[:wanted]
    return gpus
