"""Deploy against rsync and SFTP, through one real sshd on loopback: ``python -m benchmarks.deploy``.

The tree is 2,000 small text files and 50 MB that don't compress. Each method copies it cold, unchanged,
and with 5 files touched; times are medians of wall seconds with the connection, the ratio is to rsync.
Needs Debian's openssh-server, openssh-client and rsync.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import asyncssh

from fleet.deploy import DeployOptions, deploy
from fleet.events import Event, NodeDeployed, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node

Copy = Callable[[Path], Awaitable[float]]
SITUATIONS = ("cold", "unchanged", "5 touched")


def make_tree(root: Path, big: int) -> None:
    """Write 2,000 files of about 1.5 kB in 40 folders, and ``big`` megabytes in 100 files."""
    chance = random.Random(7)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=7)).decode() for _ in range(400)]
    for number in range(2000):
        place = root / f"package{number % 40}/module{number}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(" ".join(chance.choices(words, k=chance.randint(50, 330))))
    (root / "data").mkdir()
    for number in range(100):
        (root / f"data/{number}.bin").write_bytes(chance.randbytes(big * 10_000))


def touch(root: Path, turn: str) -> None:
    """Change the contents of five small files."""
    for number in range(5):
        (root / f"package{number}/module{number}.py").write_text(f"turn {turn}, file {number}")


@contextmanager
def sshd(folder: Path, address: str = "127.0.0.1") -> Iterator[int]:
    """Run OpenSSH's server on a free port of a loopback address; ``folder`` gets the keys."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = int(probe.getsockname()[1])
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "Port": port, "ListenAddress": address, "HostKey": folder / "host", "StrictModes": "no",
        "AuthorizedKeysFile": folder / "authorized", "PasswordAuthentication": "no", "PidFile": "none",
        "Subsystem": "sftp internal-sftp", "UsePAM": "no",
    }  # fmt: skip
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    process = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", str(config)],
                               stderr=subprocess.DEVNULL)  # fmt: skip
    public = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[{address}]:{port} {' '.join(public)}\n")
    try:
        deadline = time.monotonic() + 10
        while subprocess.run(["ssh-keyscan", "-p", str(port), address], capture_output=True).stdout == b"":
            if time.monotonic() > deadline:
                raise SystemExit("sshd did not start")
        yield port
    finally:
        process.terminate()
        process.wait()


def methods(source: Path, keys: Path, port: int) -> dict[str, Copy]:
    """Return each method of copying ``source`` into a folder, as a function that returns its seconds."""
    (source / ".dtui").mkdir(exist_ok=True)
    shutil.copy(keys / "known_hosts", source / ".dtui/known_hosts")

    def node(target: Path) -> Node:
        return Node(
            name="node1", address="127.0.0.1", port=port, user=getuser(), identity=keys / "user",
            transport="ssh", project=str(target), environment="existing", interpreter=sys.executable,
            python=sys.executable,
        )  # fmt: skip

    async def copied(fleet: Fleet, target: Path) -> float:
        begun = time.perf_counter()
        end = 0.0
        seen: list[Event] = []
        async for event in deploy(fleet, [node(target)], DeployOptions(environment="existing")):
            seen.append(event)
            if isinstance(event, StageChanged) and (event.stage, event.state) in (
                ("copy", "done"),
                ("copy", "skipped"),
            ):
                end = time.perf_counter() - begun
                break
        if not end:
            raise SystemExit(f"dtui failed: {[event for event in seen if isinstance(event, NodeDeployed)]}")
        return end

    def fleet() -> Fleet:
        master = Node(name="master", transport="local", project=str(source))
        return Fleet(Inventory(project=source, master=master), home=source / ".dtui")

    async def dtui(target: Path) -> float:
        begun = time.perf_counter()
        async with fleet() as connected:
            await copied(connected, target)
            return time.perf_counter() - begun

    async def dtui_connected(target: Path) -> float:
        async with fleet() as connected:
            await connected.link(node(target))
            return await copied(connected, target)

    async def rsync(target: Path) -> float:
        login = f"ssh -p {port} -i {keys / 'user'} -o UserKnownHostsFile={keys / 'known_hosts'}"
        begun = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            "rsync", "-a", "--exclude=.dtui", "-e", login, f"{source}/", f"{getuser()}@127.0.0.1:{target}/"
        )
        if await process.wait() != 0:
            raise SystemExit("rsync failed")
        return time.perf_counter() - begun

    async def sftp(target: Path) -> float:
        begun = time.perf_counter()
        async with (
            asyncssh.connect(
                "127.0.0.1", port, username=getuser(), client_keys=[str(keys / "user")],
                known_hosts=str(keys / "known_hosts"),
            ) as connection,
            connection.start_sftp_client() as client,
        ):  # fmt: skip
            await client.put(f"{source}/.", str(target), recurse=True)
        return time.perf_counter() - begun

    return {"rsync -a": rsync, "dtui": dtui, "dtui, connected": dtui_connected, "asyncssh SFTP": sftp}


Times = dict[str, dict[str, list[float]]]


async def measure(copies: dict[str, Copy], source: Path, folder: Path, rounds: int) -> Times:
    """Return the seconds of each method in each situation; they alternate, so that noise affects all."""
    times: Times = {name: {situation: [] for situation in SITUATIONS} for name in copies}
    for turn in range(rounds):
        for name, copy in copies.items():
            target = folder / f"target{turn}"
            os.sync()
            times[name]["cold"].append(await copy(target))
            if name != "asyncssh SFTP":  # it always copies everything
                times[name]["unchanged"].append(await copy(target))
                touch(source, f"{turn} {name}")
                times[name]["5 touched"].append(await copy(target))
            shutil.rmtree(target)
    return times


async def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dtui-benchmark-") as text:
        folder = Path(text)
        source, keys = folder / "source", folder / "keys"
        keys.mkdir()
        make_tree(source, options.megabytes)
        print(f"{'':16} " + " ".join(f"{situation:>16}" for situation in SITUATIONS))
        with sshd(keys) as port:
            times = await measure(methods(source, keys, port), source, folder, options.rounds)
        for name, situations in times.items():
            cells = [_cell(situations[each], times["rsync -a"][each]) for each in SITUATIONS]
            print(f"{name:16} " + " ".join(f"{cell:>16}" for cell in cells))


def _cell(seconds: list[float], reference: list[float]) -> str:
    if not seconds:
        return "-"
    median = statistics.median(seconds)
    return f"{median:6.2f} s ({median / statistics.median(reference):4.2f})"


if __name__ == "__main__":
    asyncio.run(main())
