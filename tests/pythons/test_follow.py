"""The tests of ``tests/runs/test_follow.py`` with agents under the other Pythons."""

from __future__ import annotations

from tests.runs.test_follow import *  # noqa: F403
