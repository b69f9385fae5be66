"""The transports' contract with processes under the other Pythons."""

from __future__ import annotations

import pytest

from tests.transports.contract import TransportContract
from transports.base import Endpoint, Transport
from transports.local.transport import LocalTransport


class TestLocal(TransportContract):
    BULK = 8 << 20

    @pytest.fixture(autouse=True)
    def under(self, agent_python: str) -> None:
        self.python = agent_python

    @pytest.fixture
    def transport(self) -> Transport:
        return LocalTransport(Endpoint("localhost"))
