"""Korean particles after values of any kind."""

from __future__ import annotations

import pytest

from tui.i18n.particles import with_particles


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("gpu3을(를)", "gpu3을"), ("gpu2을(를)", "gpu2를"), ("포트 29500은(는)", "포트 29500은"),
        ("노드이(가)", "노드가"), ("'eth1'과(와)", "'eth1'과"), ("서울(으)로", "서울로"),
        ("컴퓨터(으)로", "컴퓨터로"),
        ("집(으)로", "집으로"), ("python(으)로", "python으로"), ("Ethernet은(는)", "Ethernet은"),
        ("rank은(는)", "rank는"),
        ("[0]이(가)", "[0]이"), ("torch과(와)", "torch와"), ("(모름)을(를)", "(모름)을(를)"),
    ],
)  # fmt: skip
def test_particles_fit_the_sound_before_them(written: str, read: str):
    assert with_particles(written) == read
