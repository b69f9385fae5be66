"""Numbers behind an explicit tag have the same limit as others: PyYAML reads base 60 in quadratic time."""

from __future__ import annotations

import time

import pytest
import yaml

from fleet.bounded_yaml import load


@pytest.mark.parametrize(
    "text",
    [
        'seed: !!int "' + "1:" * 400_000 + '1"',
        'seed: !!float "' + "1:" * 400_000 + '1"',
        'seed: !!int "0x' + "f" * 5000 + '"',
        "seed: !!int '" + "9" * 100_000 + "'",
        "seed: !<tag:yaml.org,2002:int> " + "9" * 100_000,
    ],
)
def test_a_long_number_is_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(yaml.YAMLError, match="digits"):
        load(text)
    assert time.process_time() - begun < 60.0  # it could be hours
