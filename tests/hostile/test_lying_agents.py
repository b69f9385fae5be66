"""A compromised node against every command: it ends in time, small and clean, and the other nodes go on."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import NamedTuple

import pytest

from fleet.inventory import Inventory, Node, RunSettings, save_inventory
from tests.hostile.lying_agent import Lies

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a command against a hostile node hangs. On a quiet machine it ends within 60 s.
SECONDS = 180.0
#: Bytes that a command may take beyond what it takes without a hostile node.
MEMORY = 200 << 20
PROGRAM = "import time\nprint('up', flush=True)\ntime.sleep(0.5)\n"


class Ended(NamedTuple):
    status: int
    out: bytes
    err: bytes
    seconds: float
    memory: int


def dtui(home: Path, *words: str) -> Ended:
    """Run a command to its end; its memory is the largest that the process had, in bytes."""
    begun = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(home / "state")}
    process = Popen(
        [sys.executable, "-m", "tui", *words], cwd=home, env=environment, stdin=-3, stdout=PIPE, stderr=PIPE
    )
    found: dict[str, bytes] = {}

    def read(name: str) -> None:
        found[name] = getattr(process, name).read()

    readers = [threading.Thread(target=read, args=(name,)) for name in ("stdout", "stderr")]
    for reader in readers:
        reader.start()
    killer = threading.Timer(2 * SECONDS, process.kill)
    killer.start()
    _, status, usage = os.wait4(process.pid, 0)
    killer.cancel()
    for reader in readers:
        reader.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        process.returncode,
        found["stdout"],
        found["stderr"],
        time.monotonic() - begun,
        usage.ru_maxrss * 1024,
    )


def place(home: Path, lies: Lies | None) -> Path:
    """Make a project with a master, an honest node and one whose agent lies; return its folder."""
    home.mkdir()
    (home / "train.py").write_text(PROGRAM)
    (home / "requirements.txt").write_text("")

    def node(name: str, address: str, python: str | None) -> Node:
        project = str(home.parent / f"{home.name}-{name}")
        return Node(
            name=name, address=address, transport="local", project=project,
            environment="existing", interpreter=sys.executable, python=python, gpus=0,
        )  # fmt: skip

    master = Node(
        name="master", address="127.0.0.1", transport="local", project=str(home), environment="existing",
        interpreter=sys.executable, gpus=0,
    )  # fmt: skip
    liar = lies.interpreter(home.parent / f"{home.name}-lies") if lies else None
    inventory = Inventory(
        project=home,
        master=master,
        workers=(node("honest", "127.0.7.1", None), node("liar", "127.0.7.2", liar)),
        run=RunSettings(script="train.py", module=None),
    )
    save_inventory(inventory, home / "configs" / "nodes.yaml")
    return home


def check(ended: Ended, what: str, idle: int) -> None:
    text = (ended.out + ended.err).decode("utf-8", "replace")
    assert ended.seconds < SECONDS, f"{what}: {ended.seconds:.0f} s"
    assert ended.status in (0, 1, 2), f"{what}: {ended.status}\n{text[-2000:]}"
    assert "Traceback" not in text, f"{what}:\n{text[-4000:]}"
    assert ended.memory < idle + MEMORY, f"{what}: {ended.memory >> 20} MiB, idle {idle >> 20} MiB"
    bad = [
        one
        for one in text
        if one not in "\n\t" and (one < " " or "\x7f" <= one <= "\x9f" or one in "\u202e\ufeff")
    ]
    assert not bad, f"{what}: {bad[:5]!r}\n{text[-2000:]!r}"


#: What each command asks of a node that can lie about it.
COMMANDS: dict[str, tuple[str, ...]] = {
    "nodes": ("nodes",),
    "preflight": ("preflight",),
    "deploy": ("deploy",),
    "dry run": ("deploy", "--dry-run"),
    "up": ("up", "--cpu"),
    "gpu": ("gpu",),
    "nodes json": ("nodes", "--json"),
}
EVERYWHERE = ("escape", "endless", "flood", "late", "noise", "unknown", "fail", "exit", "extra")
ASKED = {
    "nodes": ("hello", "ping", "probe"),
    "preflight": ("ping", "route", "probe", "conditions", "portcheck", "mesh", "digest"),
    "deploy": ("manifest", "receive", "environment", "put"),
    "dry run": ("manifest",),
    "up": ("start", "status", "follow", "stop"),
    "gpu": ("telemetry",),
    "nodes json": ("probe",),
}


#: In CI each mode once, each with another operation.
IN_CI = {
    ("nodes", "probe", "escape"),
    ("nodes", "ping", "endless"),
    ("preflight", "conditions", "extra"),
    ("preflight", "mesh", "late"),
    ("deploy", "manifest", "fail"),
    ("deploy", "receive", "exit"),
    ("up", "start", "unknown"),
    ("up", "follow", "noise"),
    ("gpu", "telemetry", "flood"),
}


def cases() -> Iterator[object]:
    """Yield command, operation and mode."""
    for name in COMMANDS:
        for op, mode in itertools.product(ASKED[name], EVERYWHERE):
            marks = () if (name, op, mode) in IN_CI else pytest.mark.full
            yield pytest.param(name, op, mode, marks=marks)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> int:
    home = place(tmp_path_factory.mktemp("idle") / "home", None)
    return max(dtui(home, "nodes").memory, dtui(home, "up", "--cpu").memory)


@pytest.mark.parametrize(("command", "op", "mode"), list(cases()))
def test_a_command_survives_a_node_that_lies(
    command: str, op: str, mode: str, tmp_path: Path, idle: int
) -> None:
    home = place(tmp_path / "home", Lies(mode, op))
    ended = dtui(home, *COMMANDS[command])
    check(ended, f"{command}, {op} {mode}", idle)
    if command == "nodes":
        lines = ended.out.decode().splitlines()
        assert any(line.startswith("honest") and " up " in line for line in lines), ended.out


FIELDS = [
    ("nodes", "probe", ["os", "name"], "object"),
    ("nodes", "probe", ["os", "system"], "none"),
    ("nodes", "probe", ["ram", "total"], "text"),
    ("nodes", "probe", ["gpus"], "number"),
    ("nodes", "probe", ["adapters", "speed_mbps"], "float"),
    ("nodes", "probe", ["host"], "nested"),
    ("nodes", "probe", ["host"], "huge"),
    ("nodes", "ping", ["time"], "true"),
    ("nodes", "hello", ["pid"], "list"),
    ("preflight", "conditions", ["firewall"], "text"),
    ("preflight", "conditions", ["deployed"], "number"),
    ("preflight", "portcheck", ["ports"], "list"),
    ("preflight", "mesh", [], "text"),
    ("deploy", "manifest", [], "object"),
    ("deploy", "environment", ["text"], "surrogate"),
    ("up", "start", ["ranks"], "none"),
    ("up", "status", ["status", "state"], "escapes"),
    ("up", "follow", ["file"], "text"),
    ("up", "follow", ["offset"], "number"),
    ("gpu", "telemetry", ["sample", "gpus"], "object"),
]


@pytest.mark.parametrize(
    ("command", "op", "path", "value"),
    [
        pytest.param(*field, marks=() if number % 7 == 0 else pytest.mark.full)
        for number, field in enumerate(FIELDS)
    ],
)
def test_a_wrong_field_is_an_error_of_that_node(
    command: str, op: str, path: list[str | int], value: str, tmp_path: Path, idle: int
) -> None:
    home = place(tmp_path / "home", Lies("replace", op, path, value))
    ended = dtui(home, *COMMANDS[command])
    check(ended, f"{command}, {op} {path} {value}", idle)
    if value not in ("surrogate", "huge", "escapes"):
        assert ended.status == 1
        assert b"liar" in ended.out + ended.err
