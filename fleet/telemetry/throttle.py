"""Why a GPU's clock is below its maximum, from NVML's bit mask."""

from __future__ import annotations

_REASONS = (
    (0x001, "idle", False),
    (0x002, "clock setting", False),
    (0x004, "power cap", False),
    (0x008, "hardware slowdown", True),
    (0x010, "sync boost", False),
    (0x020, "temperature (software)", True),
    (0x040, "temperature (hardware)", True),
    (0x080, "power brake", True),
    (0x100, "display clock", False),
)


def reasons(mask: int | None) -> tuple[str, ...]:
    """Return the reasons in words; empty when there is none or none is known."""
    return tuple(word for bit, word, _ in _REASONS if mask is not None and mask & bit)


def harmful(mask: int | None) -> tuple[str, ...]:
    """Return only those reasons that somebody should mend: heat, power supply, a fault of the board."""
    return tuple(word for bit, word, bad in _REASONS if mask is not None and bad and mask & bit)
