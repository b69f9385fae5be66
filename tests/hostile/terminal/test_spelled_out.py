"""A command that the user is asked to agree to hides nothing."""

from __future__ import annotations

import pytest

from fleet.terminal import spelled_out
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in


def test_a_command_is_shown_whole() -> None:
    assert spelled_out("rm -rf /\rls -l") == "rm -rf /\\x0dls -l"
    assert spelled_out("ls\u202e -l\n한글 'x'") == "ls\\u202e -l\n한글 'x'"
    assert spelled_out("a\U000e0041") == "a\\U000e0041"


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - {"long"}))
def test_nothing_of_an_attack_is_hidden(name: str) -> None:
    attack = ATTACKS[name]
    shown = spelled_out(attack)
    assert unsafe_in(shown) == []
    assert len(shown) >= len(attack)
