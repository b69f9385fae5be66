"""What the load of a run means in words, for screens, reports and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.i18n import Texts
from tui.units import energy, money, percent

if TYPE_CHECKING:
    from fleet.telemetry import Meaning


def limited_by(meaning: Meaning, texts: Texts) -> str | None:
    """Return what the run waits for, with its share of a step; None when nothing can be said."""
    bound = meaning.bound
    if bound.kind == "unknown":
        return None
    share = {"data": bound.data, "communication": bound.communication}.get(bound.kind)
    words = texts(f"bound.{bound.kind}")
    return words if share is None else texts("bound.share", bound=words, share=percent(share))


def straggler(meaning: Meaning, texts: Texts) -> str | None:
    """Return which rank the others wait for, and why; None when there is none."""
    slow = meaning.straggler
    if slow is None:
        return None
    return texts(f"straggler.{slow.reason}", rank=slow.rank, own=f"{slow.own:.2f}", usual=f"{slow.usual:.2f}")


def trained(meaning: Meaning, texts: Texts) -> str | None:
    """Return how much of the GPUs' time went into the run; None when it can't be told."""
    return None if meaning.training is None else texts("load.trained", share=percent(meaning.training))


def used_energy(meaning: Meaning) -> str | None:
    """Return energy and cost so far; None when none was measured."""
    if not meaning.joules:
        return None
    price = "" if meaning.cost is None else f", {money(meaning.cost, meaning.currency)}"
    return energy(meaning.joules) + price


def all_words(meaning: Meaning, texts: Texts) -> list[str]:
    """Return everything that can be said, the most pressing first."""
    found = (limited_by(meaning, texts), straggler(meaning, texts), trained(meaning, texts))
    return [text for text in (*found, used_energy(meaning)) if text is not None]
