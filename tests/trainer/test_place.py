from __future__ import annotations

import pytest

from trainer.errors import ConfigError
from trainer.place import place_from

LAUNCHED = {
    "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29400", "DTUI_RUN_ID": "r7", "DTUI_NODE": "gpu2",
}  # fmt: skip


def test_a_launched_rank_knows_its_place() -> None:
    place = place_from(LAUNCHED, 0.0)
    assert (place.rank, place.world_size, place.local_world_size) == (1, 4, 2)
    assert (place.run, place.node, place.master_port) == ("r7", "gpu2", 29400)
    assert place.distributed
    assert not place.first


def test_without_a_launcher_it_is_the_only_rank() -> None:
    place = place_from({}, 0.0)
    assert (place.rank, place.world_size, place.distributed) == (0, 1, False)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR missing"),
        ({"RANK": "4"}, "RANK=4 is outside of WORLD_SIZE=4"),
        ({"WORLD_SIZE": "four"}, "WORLD_SIZE=four is not a number"),
    ],
)
def test_contradictions_are_told(changes: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        place_from({**LAUNCHED, **changes}, 0.0)
