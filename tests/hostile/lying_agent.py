"""A compromised node: an interpreter that starts an agent which follows the protocol and then lies.

It is a real agent in a process of its own. What it sends is changed on its way out, as a JSON file beside
this program says (:class:`Lies`), so that every operation gets as far as the lie.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

#: What must never reach a terminal: clipboard, title, screen, C1, bidi, NUL and markup.
ESCAPES = "\x1b]52;c;aGFja2Vk\x07\x1b]0;hacked\x07\x1b[2J\x1b[H\x9b31m\u202e\x00[bold]x[/bold]\r\x08"

#: What is put in place of a value: name -> value.
VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "number": -(2**70),
    "float": 1.5,
    "text": "text",
    "escapes": ESCAPES,
    "surrogate": "\ud800",
    "huge": "x" * 700_000,
    "list": [[1], {"a": 2}],
    "nested": "NESTED",
    "object": {"util": {"a": [1]}},
}


class Lies:
    """How an agent lies: ``op`` is the operation (empty: all), ``mode`` what it does.

    - ``replace``: the value at ``path`` of each body becomes VALUES[value];
    - ``extra``: a key is added; ``escape``: every text of the body gets ESCAPES;
    - ``endless``: items without end; ``flood``: the same, ignoring the window;
    - ``late``: no answer; ``exit``: the process ends;
    - ``noise``: bytes that are no frames; ``unknown``: an answer to a request that nobody made;
    - ``fail``: a failure whose texts are ESCAPES.
    """

    def __init__(
        self, mode: str, op: str = "", path: list[str | int] | None = None, value: str = "text"
    ) -> None:
        self.mode, self.op, self.path, self.value = mode, op, path or [], value

    def interpreter(self, folder: Path) -> str:
        """Write the lying interpreter into ``folder`` and return its path, for a node's ``python``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lies.json").write_text(json.dumps(vars(self)))
        program = folder / "python"
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from tests.hostile.lying_agent import main\nmain({str(folder / 'lies.json')!r})\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return str(program)


def main(path: str) -> None:
    """Answer the bootstrap and serve as an agent."""
    lies = Lies(**json.loads(Path(path).read_text()))
    sys.stdin.buffer.readline()
    sys.stdout.buffer.write(b"\nDTUI1 have\n")
    sys.stdout.buffer.flush()
    from agent.server import Server

    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    output = _Output(lies, channel.write)

    class Liar(Server):
        def _start(self, header: Any) -> None:
            output.operations[header.id] = header.op
            super()._start(header)

    read = sys.stdin.buffer.read1  # type: ignore[attr-defined]
    os._exit(Liar(read, output.write, archive=str(ROOT), digest="0").run())


class _Output:
    """Changes the frames that the server writes."""

    def __init__(self, lies: Lies, write: Any) -> None:
        #: The operation of each request.
        self.operations: dict[int, str] = {}
        self._lies = lies
        self._raw = write

    def write(self, data: Any) -> int:
        """Take one encoded frame; returns how many bytes were taken."""
        from agent.wire.frames import FrameDecoder

        (frame,) = FrameDecoder().feed(bytes(data))
        self._send(frame)
        return len(data)

    def _all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._raw(view) :]

    def _send(self, frame: Any) -> None:
        from agent.wire import frames

        lies, header = self._lies, frame.header
        fields = {"kind": type(header).__name__.lower(), **header._asdict()}
        number = fields.get("id")
        op = self.operations.get(number or 0, "")
        is_answer = isinstance(header, frames.Item | frames.Done)
        if lies.op == fields["kind"] or (is_answer and lies.op in ("", op)):
            fields = self._lie(fields, number)
            if fields is None:
                return
        text = json.dumps(fields).encode("ascii").replace(b'"NESTED"', b"[" * 40_000 + b"]" * 40_000)
        self._all(len(text).to_bytes(4, "big") + len(frame.payload).to_bytes(4, "big") + text + frame.payload)

    def _lie(self, fields: dict[str, Any], number: Any) -> dict[str, Any] | None:
        lies = self._lies
        if lies.mode in ("endless", "flood"):
            piece = {**fields, "kind": "item", "id": number}
            text = json.dumps(piece).encode("ascii")
            frame = len(text).to_bytes(4, "big") + (60_000).to_bytes(4, "big") + text + b"x" * 60_000
            while True:
                self._all(frame)
        if lies.mode == "late":
            return None
        if lies.mode == "exit":
            os._exit(7)
        if lies.mode == "noise":
            self._all(b"\xff" * 100_000)
        if lies.mode == "unknown":
            return {"kind": "done", "id": 987_654, "body": {}}
        if lies.mode == "fail":
            said = {"id": ESCAPES, "args": {"x": ESCAPES}, "text": ESCAPES}
            return {"kind": "fail", "id": number, "code": ESCAPES, "message": said, "remedy": said}
        key = "body" if "body" in fields else None
        body = fields[key] if key else {k: v for k, v in fields.items() if k not in ("kind", "id")}
        if lies.mode == "escape":
            body = _escaped(body)
        elif lies.mode == "extra" and isinstance(body, dict):
            body = {**body, "more": 1}
        elif lies.mode == "replace":
            body = _changed(body, lies.path, VALUES[lies.value])
        return {**fields, key: body} if key else {"kind": fields["kind"], **body}


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value + ESCAPES if isinstance(value, str) else value


def _changed(body: Any, path: list[str | int], value: Any) -> Any:
    if not path:
        return value
    if isinstance(body, list):
        return [_changed(item, path[1:], value) for item in body]
    if not isinstance(body, dict) or path[0] not in body:
        return body
    return {**body, path[0]: _changed(body[path[0]], path[1:], value)}
