from __future__ import annotations

import pytest

from trainer.distributed.rank_environment import read_rank_environment
from trainer.errors import ConfigError

LAUNCHED = {
    "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29400", "DTUI_RUN_ID": "r7", "DTUI_NODE": "gpu2",
}  # fmt: skip


def test_the_environment_of_a_launched_rank_is_read() -> None:
    environment = read_rank_environment(LAUNCHED, 0.0)
    assert (environment.rank, environment.world_size, environment.local_world_size) == (1, 4, 2)
    assert (environment.run, environment.node, environment.master_port) == ("r7", "gpu2", 29400)
    assert environment.distributed


def test_without_a_launcher_the_process_is_the_only_rank() -> None:
    environment = read_rank_environment({}, 0.0)
    assert (environment.rank, environment.world_size, environment.distributed) == (0, 1, False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR missing"),
        ({"RANK": "4"}, "RANK=4 is outside of WORLD_SIZE=4"),
        ({"WORLD_SIZE": "four"}, "WORLD_SIZE=four is not a number"),
    ],
)
def test_missing_and_contradictory_variables_are_rejected(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_rank_environment({**LAUNCHED, **changes}, 0.0)
