"""The load of a run as texts, for screens, reports and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.i18n import Texts
from tui.rendering.units import energy, money, percent

if TYPE_CHECKING:
    from fleet.telemetry import LoadSummary


def bottleneck_text(load: LoadSummary, texts: Texts) -> str | None:
    """Return the bottleneck with its share of a step; None if it is unknown."""
    bottleneck = load.bottleneck
    if bottleneck.kind == "unknown":
        return None
    share = {"data": bottleneck.data, "communication": bottleneck.communication}.get(bottleneck.kind)
    words = texts(f"bottleneck.{bottleneck.kind}")
    return words if share is None else texts("bottleneck.share", bottleneck=words, share=percent(share))


def straggler(load: LoadSummary, texts: Texts) -> str | None:
    """Return the rank that the others wait for, and the cause; None without one."""
    slow = load.straggler
    if slow is None:
        return None
    return texts(f"straggler.{slow.reason}", rank=slow.rank, own=f"{slow.own:.2f}", usual=f"{slow.usual:.2f}")


def trained(load: LoadSummary, texts: Texts) -> str | None:
    """Return how much of the GPUs' time went into the run; None when it is unknown."""
    return None if load.training is None else texts("load.trained", share=percent(load.training))


def used_energy(load: LoadSummary) -> str | None:
    """Return energy and cost so far; None when none was measured."""
    if not load.joules:
        return None
    price = "" if load.cost is None else f", {money(load.cost, load.currency)}"
    return energy(load.joules) + price


def all_words(load: LoadSummary, texts: Texts) -> list[str]:
    """Return all of these texts, the most important first."""
    found = (bottleneck_text(load, texts), straggler(load, texts), trained(load, texts))
    return [text for text in (*found, used_energy(load)) if text is not None]
