"""The newest samples in Prometheus' text format, served on loopback while the console watches."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Self

from agent.wire.message import message
from agent.wire.reasons import system_reason
from agent.wire.telemetry import Sample
from fleet.errors import FleetError
from fleet.events import Event, TelemetrySampled
from fleet.telemetry.series import row_of
from fleet.terminal import one_line

_REQUEST_LIMIT = 8192
_REQUEST_SECONDS = 5.0
#: Concurrent clients; further ones are rejected.
_CLIENTS = 16
#: Characters of a label's value, series of one node, and series in all.
_LABEL = 128
_NODE_SERIES = 2048
_ALL_SERIES = 200_000
_GPU_NAME = re.compile(r"gpu(\d{1,9})\.(\w+)")
#: Names of metrics that Prometheus accepts.
_METRIC = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class PrometheusEndpoint:
    """``GET /metrics`` on 127.0.0.1; port 0 takes a free one, see ``port``. Use as async context manager."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._samples: dict[str, Sample] = {}
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        #: The answer for the samples there are; many clients must not keep the loop busy with making it.
        self._made: bytes | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port, limit=_REQUEST_LIMIT
            )
        except OSError as error:
            raise FleetError(
                message(
                    "telemetry.prometheus-port",
                    "cannot listen on port {port} for Prometheus: {error}",
                    port=self.port,
                    error=system_reason(error),
                ),
                remedy=message(
                    "telemetry.prometheus-port.remedy", "choose another port with --prometheus PORT"
                ),
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            client.transport.abort()
        await self._server.wait_closed()

    def add(self, event: Event) -> None:
        """Remember the event if it is a sample."""
        if isinstance(event, TelemetrySampled):
            self._samples[event.node] = event.sample
            self._made = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= _CLIENTS:
            writer.transport.abort()
            return
        self._clients.add(writer)
        try:
            # A client that sends or reads slowly has this long in all.
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            # Unsent data is dropped: closing would wait for a client that does not read.
            writer.transport.abort()
            self._clients.discard(writer)

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if words[0] != b"GET":
            return _response("405 Method Not Allowed", "only GET\n")
        if words[1:2] != [b"/metrics"]:
            return _response("404 Not Found", "see /metrics\n")
        if self._made is None:
            self._made = _response("200 OK", exposition(self._samples))
        return self._made


def exposition(samples: Mapping[str, Sample]) -> str:
    """Return node -> sample as Prometheus text; what is not known is left out."""
    families: dict[str, list[str]] = {}
    count = 0
    for node, sample in samples.items():
        for name, labels, value in islice(_metrics(node, sample), min(_NODE_SERIES, _ALL_SERIES - count)):
            families.setdefault(name, []).append(f"{name}{{{labels}}} {value}")
            count += 1
    lines = [line for name, found in sorted(families.items()) for line in (f"# TYPE {name} gauge", *found)]
    return "\n".join(lines) + "\n"


def _metrics(node: str, sample: Sample) -> Iterator[tuple[str, str, str]]:
    where = f'node="{_escape(node)}"'
    names = {gpu["index"]: gpu["name"] or "" for gpu in sample["gpus"]}
    for series, value in row_of(sample).items():
        number = _number(value)
        if number is None:
            continue
        match = _GPU_NAME.fullmatch(series)
        if match is None:
            metric = "dtui_" + series.replace(".", "_")
            if _METRIC.fullmatch(metric):
                yield metric, where, number
        else:
            index = int(match.group(1))
            labels = f'{where},gpu="{index}",name="{_escape(names[index])}"'
            yield f"dtui_gpu_{match.group(2)}", labels, number


def _number(value: float | None) -> str | None:
    """Return the value as the format writes it; an integer too large for a float is left out."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return f"{number:.15g}"


def _escape(text: str) -> str:
    """Return a label's value as the exposition format requires it, without control characters."""
    text = one_line(text, _LABEL)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _response(status: str, text: str) -> bytes:
    body = text.encode("utf-8")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
