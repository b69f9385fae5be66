"""Which port a run takes when the rendezvous port cannot be used."""

from __future__ import annotations

import pytest

from fleet.events import CheckStatus
from fleet.preflight.steps import other_port


@pytest.mark.parametrize(
    ("wanted", "checked", "taken"),
    [
        (29500, {29500: "ok", 29501: "ok"}, None),
        (29500, {29500: "warn", 29501: "warn", 29502: "ok", 29503: "ok"}, 29502),
        (29502, {29500: "ok", 29501: "ok", 29502: "warn"}, 29500),
        (40000, {29500: "skip", 29501: "ok", 40000: "warn"}, 29501),
        (29500, {29500: "warn", 29501: "skip"}, None),
        (29500, {29500: "fail", 29501: "ok"}, None),
        (29500, {}, None),
    ],
)
def test_the_first_port_that_is_free_and_open_replaces_one_that_is_not(
    wanted: int, checked: dict[int, CheckStatus], taken: int | None
) -> None:
    assert other_port(wanted, checked) == taken
