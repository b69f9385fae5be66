"""The endpoint over real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket

import pytest

from fleet.errors import FleetError
from fleet.events import TelemetrySampled
from fleet.telemetry.prometheus import PrometheusEndpoint
from tests.telemetry.samples import gpu, sample


async def ask(port: int, request: bytes) -> tuple[str, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(120):
        answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    assert f"Content-Length: {len(body.encode())}" in head
    return head.split("\r\n")[0], body


async def test_the_newest_samples_are_served() -> None:
    async with PrometheusEndpoint() as endpoint:
        name = 'NVIDIA "H200"\\'
        for util in (5, 97):
            event = TelemetrySampled(node="gpu1", sample=sample(gpu(3, util=util, name=name, power=None)))
            endpoint.add(event)
        status, body = await ask(endpoint.port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert 'dtui_gpu_util{node="gpu1",gpu="3",name="NVIDIA \\"H200\\"\\\\"} 97\n' in body
    assert "# TYPE dtui_gpu_util gauge\n" in body
    assert 'dtui_network_rx{node="gpu1"} 1000000\n' in body
    assert "dtui_gpu_power{" not in body, "what is not known is not 0"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1", "404 Not Found"),
        (b"POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        (b"x", "405"),
    ],
)
async def test_anything_else_is_refused(request_line: bytes, status: str) -> None:
    async with PrometheusEndpoint() as endpoint:
        line, _ = await ask(endpoint.port, request_line + b"\r\n\r\n")
    assert line.startswith(f"HTTP/1.1 {status}")


async def test_a_request_without_end_does_not_fill_the_memory() -> None:
    async with PrometheusEndpoint() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"GET /" + b"x" * 100_000)
        async with asyncio.timeout(120):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()


async def test_it_listens_on_loopback_alone_and_no_longer_than_watched() -> None:
    async with PrometheusEndpoint() as endpoint:
        port = endpoint.port
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


async def test_a_port_in_use_is_an_error_for_a_person() -> None:
    async with PrometheusEndpoint() as first:
        with pytest.raises(FleetError, match=f"cannot listen on port {first.port} for Prometheus"):
            await PrometheusEndpoint(first.port).__aenter__()
