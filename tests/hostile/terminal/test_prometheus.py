"""The Prometheus endpoint against hostile samples and hostile clients, over raw sockets."""

from __future__ import annotations

import asyncio
import re

import pytest

from fleet.events import TelemetrySampled
from fleet.telemetry import prometheus
from fleet.telemetry.prometheus import PrometheusEndpoint, exposition
from tests.hostile.terminal.hostile_text import ATTACKS, unsafe_in
from tests.support.waiting import until
from tests.telemetry.samples import gpu, sample

_LINE = re.compile(
    r'# TYPE \w+ gauge|\w+\{\w+="(?:[^"\\\n]|\\["\\n])*"(?:,\w+="(?:[^"\\\n]|\\["\\n])*")*\} \S+'
)
REQUEST = b"GET /metrics HTTP/1.1\r\n\r\n"


async def answer(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    async with asyncio.timeout(120):
        found = await reader.read()
    writer.close()
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_name_is_one_bounded_label(name: str) -> None:
    attack = ATTACKS[name] + '"} 1\ndtui_forged{node="x"} 666\n'
    text = exposition({attack: sample(gpu(0, name=attack))})
    assert unsafe_in(text) == []
    for line in text.splitlines():
        assert _LINE.fullmatch(line), line[:200]
        assert not line.startswith("dtui_forged")
        assert len(line) < 700


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (10**400, None),
        (1 << 70, "1.18059162071741e+21"),
    ],
)
def test_a_number_of_any_size_is_written_as_the_format_wants_it(value: float, shown: str | None) -> None:
    # Such a value does not pass the wire; the endpoint must not depend on that.
    text = exposition({"gpu1": {**sample(), "gpus": [{**gpu(0), "util": value}]}})
    found = re.search(r"dtui_gpu_util\{.*\} (\S+)", text)
    assert (found.group(1) if found else None) == shown


def test_a_node_with_endless_gpus_has_a_bounded_number_of_series() -> None:
    text = exposition({"gpu1": sample(*(gpu(index) for index in range(5000))), "gpu2": sample(gpu(0))})
    assert text.count('node="gpu1"') == prometheus._NODE_SERIES
    assert 'node="gpu2"' in text


def test_an_index_that_is_no_index_makes_no_metric() -> None:
    unusual = {**sample(), "gpus": [{**gpu(0), "index": -1}, {**gpu(0), "index": 10**30}]}
    for line in exposition({"gpu1": unusual}).splitlines():
        assert _LINE.fullmatch(line), line


async def test_a_slow_client_is_dropped_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_REQUEST_SECONDS", 0.3)
    async with PrometheusEndpoint() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"GET /metrics HT")
        assert (await answer(endpoint.port)).startswith(b"HTTP/1.1 200 OK")
        async with asyncio.timeout(120):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()


async def test_a_client_that_never_reads_does_not_hold_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_REQUEST_SECONDS", 0.3)
    async with PrometheusEndpoint() as endpoint:
        for number in range(400):
            endpoint.add(
                TelemetrySampled(node=f"gpu{number}", sample=sample(*(gpu(one) for one in range(8))))
            )
        clients = [await asyncio.open_connection("127.0.0.1", endpoint.port, limit=1024) for _ in range(4)]
        for _, writer in clients:
            writer.write(REQUEST)
        await until(lambda: endpoint._clients)
        await until(lambda: not endpoint._clients)
    for _, writer in clients:
        writer.close()


async def test_connections_beyond_the_limit_are_turned_away() -> None:
    async with PrometheusEndpoint() as endpoint:
        held = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(prometheus._CLIENTS)]
        async with asyncio.timeout(120):
            await until(lambda: len(endpoint._clients) == prometheus._CLIENTS)
            reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()
            held[0][1].close()
            await until(lambda: len(endpoint._clients) < prometheus._CLIENTS)
        assert (await answer(endpoint.port)).startswith(b"HTTP/1.1 200 OK")
        for _, each in held[1:]:
            each.close()


@pytest.mark.parametrize("size", [8193, 1_000_000])
async def test_a_huge_header_is_refused(size: int) -> None:
    async with PrometheusEndpoint() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * size + b"\r\n\r\n")
        async with asyncio.timeout(120):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        writer.close()
        assert (await answer(endpoint.port)).startswith(b"HTTP/1.1 200 OK")


async def test_the_endpoint_is_bound_to_loopback() -> None:
    async with PrometheusEndpoint() as endpoint:
        assert endpoint._server is not None
        assert {socket.getsockname()[0] for socket in endpoint._server.sockets} == {"127.0.0.1"}
