"""The tests of ``tests/runs/test_node.py`` with agents under the other Pythons."""

from __future__ import annotations

from tests.runs.test_node import *  # noqa: F403
