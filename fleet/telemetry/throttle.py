"""Why a GPU's clock is below its maximum, from NVML's bit mask."""

from __future__ import annotations

from agent.wire.message import Message, message

#: The reasons that need a fix. NVML's others are normal: idle, clock setting, power cap, sync boost, display.
_HARMFUL = (
    (0x008, message("throttle.hardware", "hardware slowdown")),
    (0x020, message("throttle.software-temperature", "temperature (software)")),
    (0x040, message("throttle.hardware-temperature", "temperature (hardware)")),
    (0x080, message("throttle.power-brake", "power brake")),
)


def harmful(mask: int | None) -> tuple[Message, ...]:
    """Return the reasons that need a fix; empty if the mask is unknown."""
    return tuple(reason for bit, reason in _HARMFUL if mask is not None and mask & bit)
