"""The tests of ``tests/link/test_link.py`` with agents under the other Pythons."""

from __future__ import annotations

from tests.link.test_link import *  # noqa: F403
