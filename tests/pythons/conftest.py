"""Every test of this folder runs with agents under each supported Python but the one that runs the tests."""

from __future__ import annotations

import sys

import pytest

from tests.runs.conftest import nothing_stays  # noqa: F401
from tests.support.needs import needed_python
from tests.support.pythons import OLDEST, VERSIONS

_OWN = "{}.{}".format(*sys.version_info[:2])
#: The oldest one has faults of its own; the others are tried in a full run.
EVERY_PYTHON = {
    version: pytest.param(version, marks=() if version == OLDEST else pytest.mark.full)
    for version in VERSIONS
}


@pytest.fixture(params=[case for version, case in EVERY_PYTHON.items() if version != _OWN])
def agent_python(request: pytest.FixtureRequest) -> str:
    """The interpreter of the agent."""
    return needed_python(request.param)
