"""The newest samples in Prometheus' text format, served on loopback for as long as somebody watches."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

from fleet.errors import FleetError
from fleet.events import Event, TelemetrySampled
from fleet.telemetry.series import gpus_of, row_of

_REQUEST_LIMIT = 8192
_REQUEST_SECONDS = 5.0
_GPU_NAME = re.compile(r"gpu(\d+)\.(\w+)")


class PrometheusEndpoint:
    """``GET /metrics`` on 127.0.0.1; port 0 takes a free one, see ``port``. Use as async context manager."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._samples: dict[str, Mapping[str, Any]] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port, limit=_REQUEST_LIMIT
            )
        except OSError as error:
            raise FleetError(
                f"port {self.port} for Prometheus can't be opened: {error.strerror or error}",
                remedy="choose another with --prometheus PORT",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def take(self, event: Event) -> None:
        """Remember the event if it is a sample."""
        if isinstance(event, TelemetrySampled):
            self._samples[event.node] = event.sample

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if words[0] != b"GET":
            return _response("405 Method Not Allowed", "only GET\n")
        if words[1:2] != [b"/metrics"]:
            return _response("404 Not Found", "see /metrics\n")
        return _response("200 OK", exposition(self._samples))


def exposition(samples: Mapping[str, Mapping[str, Any]]) -> str:
    """Return node -> sample as Prometheus text; what is not known is left out."""
    families: dict[str, list[str]] = {}
    for node, sample in samples.items():
        for name, labels, value in _metrics(node, sample):
            families.setdefault(name, []).append(f"{name}{{{labels}}} {value:.15g}")
    lines = [line for name, found in sorted(families.items()) for line in (f"# TYPE {name} gauge", *found)]
    return "\n".join(lines) + "\n"


def _metrics(node: str, sample: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    where = f'node="{_escape(node)}"'
    names = {index: str(gpu.get("name") or "") for index, gpu in gpus_of(sample)}
    for series, value in row_of(sample).items():
        if value is None:
            continue
        match = _GPU_NAME.fullmatch(series)
        if match is None:
            yield "dtui_" + series.replace(".", "_"), where, value
        else:
            index = int(match.group(1))
            yield f"dtui_gpu_{match.group(2)}", f'{where},gpu="{index}",name="{_escape(names[index])}"', value


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _response(status: str, text: str) -> bytes:
    body = text.encode("utf-8")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
