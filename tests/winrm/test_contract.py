"""The contract of all transports, over WinRM: HTTP with sealed messages, and HTTPS."""

from __future__ import annotations

import pytest

from tests.transports.contract import TransportContract
from tests.winrm.conftest import Connect, Serve
from transports.base import Transport
from transports.winrm.connection import Timeouts


class TestHttp(TransportContract):
    BULK = 24 << 20

    @pytest.fixture
    def transport(self, serve: Serve, connect: Connect) -> Transport:
        return connect(serve(), timeouts=Timeouts())


class TestHttps(TransportContract):
    BULK = 24 << 20

    @pytest.fixture
    def transport(self, serve: Serve, connect: Connect) -> Transport:
        return connect(serve(tls=True), timeouts=Timeouts())
