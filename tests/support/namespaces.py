"""Machines made of network namespaces: each with an address of its own, joined by a router (root only)."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, RunSettings
from transports.base import Endpoint, Prompts, Transport
from transports.local.transport import LocalChannel, LocalTransport


def run(*argv: str, data: str | None = None) -> str:
    """Run a command to its end and return what it printed; a failure shows its output."""
    done = subprocess.run(argv, input=data, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


@dataclass
class Machine:
    """One namespace; ``device`` is its end of the cable to the router."""

    name: str
    namespace: str
    address: str
    device: str
    project: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, *argv: str) -> list[str]:
        """Return the command line that runs ``argv`` on this machine."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def filter(self, *rules: str) -> None:
        """Set the rules of what comes in (nft), instead of those set before."""
        body = "\n".join(rules)
        run(
            *self.command("nft", "-f", "-"),
            data=f"table inet t {{}}\nflush table inet t\ntable inet t {{ chain c {{ "
            f"type filter hook input priority 0; policy accept;\n{body}\n}}\n}}\n",
        )

    def shape(self, rate: str) -> None:
        """Let the machine send no faster than ``rate`` (tc)."""
        run(*self.command("tc", "qdisc", "replace", "dev", self.device, "root", "tbf", "rate", rate,
                          "burst", "32kb", "latency", "200ms"))  # fmt: skip

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a program here that the end of the test ends."""
        process = subprocess.Popen(self.command(*argv), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def listen(self, *ports: int) -> None:
        """Have another program listen at the ports, from now on."""
        program = (
            "import socket, sys, time\n"
            "kept = [socket.create_server(('0.0.0.0', int(port))) for port in sys.argv[1:]]\n"
            "print('ready', flush=True)\n"
            "time.sleep(600)\n"
        )
        process = self.start(sys.executable, "-c", program, *map(str, ports))
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"


class NamespaceTransport(LocalTransport):
    """Starts processes on a machine of this network."""

    def __init__(self, machine: Machine, cache: Path) -> None:
        super().__init__(Endpoint(machine.address))
        self._machine = machine
        self._cache = cache

    async def open(self, argv: Sequence[str]) -> LocalChannel:
        """Start ``argv`` in the namespace."""
        return await super().open(self._machine.command("env", f"XDG_CACHE_HOME={self._cache}", *argv))


@dataclass
class Network:
    """Machines by name, the first being the master, and the router's namespace between them."""

    machines: dict[str, Machine]
    router: str
    folder: Path

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def between(self, *rules: str) -> None:
        """Set the rules (nft) of what the router lets through, instead of those set before."""
        body = "\n".join(rules)
        run(
            "ip", "netns", "exec", self.router, "nft", "-f", "-",
            data=f"table inet t {{}}\nflush table inet t\ntable inet t {{ chain c {{ "
            f"type filter hook forward priority 0; policy accept;\n{body}\n}}\n}}\n",
        )  # fmt: skip

    def connections(self, source: str, target: str) -> str:
        """Return the nft match of new connections from one machine to another."""
        return f"ip saddr {self[source].address} ip daddr {self[target].address} ct state new"

    def inventory(self, *, ssh: bool = False, **changes: Any) -> Inventory:
        """Return the network as an inventory; with ``ssh`` the workers' SSH services are checked, too."""
        nodes = [
            Node(
                name=machine.name,
                address=machine.address,
                transport="local" if number == 0 or not ssh else "ssh",
                python=sys.executable,
                gpus=0,
                environment="existing",
                interpreter=sys.executable,
                project=str(machine.project),
            )
            for number, machine in enumerate(self.machines.values())
        ]
        run = RunSettings(module=None, script="train.py", config=None)
        project, workers = Path(nodes[0].project), tuple(nodes[1:])
        inventory = Inventory(project=project, master=nodes[0], workers=workers, run=run)
        return replace(inventory, **changes)

    def fleet(self, inventory: Inventory | None = None) -> Fleet:
        """Return a fleet whose agents run on these machines."""
        by_address = {machine.address: machine for machine in self.machines.values()}

        def transports(kind: str, endpoint: Endpoint, *, known_hosts: Path, prompts: Prompts) -> Transport:
            return NamespaceTransport(by_address[endpoint.host], self.folder / "cache")

        return Fleet(inventory or self.inventory(), home=self.folder / "home", transports=transports)


@contextmanager
def network(folder: Path, *names: str) -> Iterator[Network]:
    """Make a machine for each name; everything is gone at the end."""
    mark = f"d{os.getpid() % 0xFFFF:x}{secrets.token_hex(2)}"
    router = f"{mark}-r"
    machines: dict[str, Machine] = {}
    run("ip", "netns", "add", router)
    try:
        run("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for number, name in enumerate(names, 1):
            project = folder / name
            project.mkdir(parents=True, exist_ok=True)
            machine = Machine(name, f"{mark}-{number}", f"10.{77}.{number}.2", f"{mark}v{number}", project)
            machines[name] = machine
            _cable(machine, router, f"{mark}w{number}", f"10.77.{number}.1")
        (folder / names[0] / "train.py").write_text("print('trained')\n", "utf-8")
        yield Network(machines, router, folder)
    finally:
        for machine in machines.values():
            for process in machine.processes:
                process.kill()
                process.communicate()
            subprocess.run(["ip", "netns", "del", machine.namespace], check=False)
        run("ip", "netns", "del", router)


def _cable(machine: Machine, router: str, other_end: str, gateway: str) -> None:
    run("ip", "netns", "add", machine.namespace)
    script = [
        f"link add {machine.device} type veth peer name {other_end} netns {router}",
        f"addr add {machine.address}/24 dev {machine.device}",
        f"link set {machine.device} up",
        "link set lo up",
        f"route add default via {gateway}",
    ]
    run("ip", "-n", router, "link", "set", "lo", "up")
    run("ip", "-n", machine.namespace, "-batch", "-", data="\n".join(script[:1]) + "\n")
    run("ip", "-n", router, "-batch", "-",
        data=f"addr add {gateway}/24 dev {other_end}\nlink set {other_end} up\n")  # fmt: skip
    run("ip", "-n", machine.namespace, "-batch", "-", data="\n".join(script[1:]) + "\n")
