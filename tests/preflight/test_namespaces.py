"""Preflight between real network stacks: each node is a namespace, faults are real firewalls and shapers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.wire.operations import OPERATIONS
from fleet.events import CheckFinished, Event, Notice, PairProbed
from fleet.inventory import Inventory
from fleet.inventory.model import DataSettings
from fleet.preflight import PreflightOptions, preflight
from fleet.preflight.fix_runner import apply_fix, find_fixes
from fleet.preflight.fixes import Fix
from tests.support.namespaces import Network, network

pytestmark = pytest.mark.namespaces

PORTS = [*(str(port) for port in range(29500, 29505)), "ephemeral"]
DEADLINE = 180.0


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with network(tmp_path, "master", "gpu1", "gpu2") as made:
        yield made


class PreflightEvents(list[Event]):
    """The events of one preflight."""

    def cell(self, node: str, check: str) -> CheckFinished:
        (found,) = [one for one in self.cells if (one.node, one.check) == (node, check)]
        return found

    @property
    def cells(self) -> list[CheckFinished]:
        return [one for one in self if isinstance(one, CheckFinished)]

    @property
    def failed(self) -> set[tuple[str, str]]:
        return {(one.node, one.check) for one in self.cells if one.status == "fail"}

    @property
    def failed_checks(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for one in self.cells:
            if one.status in ("warn", "fail"):
                found.setdefault(one.node, []).append(one.check)
        return found

    @property
    def closed(self) -> dict[tuple[str, str], dict[str, str]]:
        """Source, target -> the ports that are not open."""
        probed = [one for one in self if isinstance(one, PairProbed) and one.ports]
        found = {
            (one.node, one.peer): {port: word for port, word in one.ports.items() if word != "open"}
            for one in probed
        }
        return {pair: ports for pair, ports in found.items() if ports}

    @property
    def notices(self) -> list[str]:
        return [one.text for one in self if isinstance(one, Notice)]


async def run_checks(
    net: Network, *checks: str, inventory: Inventory | None = None, **options: object
) -> PreflightEvents:
    async with net.fleet(inventory) as fleet:
        wanted = PreflightOptions(checks=checks, **options)  # type: ignore[arg-type]
        return PreflightEvents([event async for event in preflight(fleet, fleet.nodes, wanted)])


async def test_open_machines_are_green_in_every_column(net: Network) -> None:
    seen = await run_checks(net, "reach", "ports", "machine", inventory=net.inventory(ssh=True))
    assert not seen.failed
    assert not seen.closed
    for node in net.machines:
        for port in PORTS:
            assert seen.cell(node, port).status == "ok"
    assert seen.cell("gpu1", "ping").status == "ok"
    assert "gpu2,master" in seen.cell("gpu1", "ephemeral").seen


async def test_the_matrix_names_exactly_the_broken_pairs_and_how_they_are_broken(net: Network) -> None:
    net.between(
        f"{net.connections('gpu1', 'gpu2')} tcp dport 29501 drop",
        f"{net.connections('gpu2', 'gpu1')} meta l4proto tcp reject with icmp admin-prohibited",
        f"{net.connections('gpu2', 'master')} tcp dport 29500 reject with tcp reset",
    )
    seen = await run_checks(net, "ports")
    assert seen.closed == {
        ("gpu1", "gpu2"): {"29501": "dropped"},
        ("gpu2", "gpu1"): dict.fromkeys(PORTS, "unreachable"),
        ("gpu2", "master"): {"29500": "refused"},
    }
    assert seen.failed == {("master", "29500"), ("gpu1", "ephemeral")}, "what the run needs"
    assert seen.cell("gpu2", "29501").status == "warn", "what it does not need"
    for text in (
        "gpu1 cannot connect to gpu2 on port 29501: no response although",
        "gpu2 cannot connect to gpu1 on any port",
        "gpu2 cannot connect to master on port 29500: refused although",
    ):
        assert any(notice.startswith(text) for notice in seen.notices)
    assert len(seen.notices) == 3


async def test_a_node_that_drops_everything_in_differs_from_single_blocked_ports(net: Network) -> None:
    net["gpu1"].filter("ct state established accept", "iif lo accept", "drop")
    seen = await run_checks(net, "29500", "ephemeral")
    assert seen.closed == {(source, "gpu1"): dict.fromkeys(PORTS, "dropped") for source in ("master", "gpu2")}
    assert seen.failed == {("gpu1", "ephemeral")}
    assert "no port is reachable from" in seen.cell("gpu1", "ephemeral").seen
    assert seen.cell("gpu1", "ephemeral").remedy


async def test_a_pair_that_is_blocked_in_the_direction_that_gloo_does_not_use_is_a_warning(
    net: Network,
) -> None:
    """Of two nodes that with the higher address connects: here each to those named before it."""
    net.between(f"{net.connections('gpu1', 'gpu2')} drop", f"{net.connections('master', 'gpu2')} drop")
    seen = await run_checks(net, "29500", "ephemeral")
    assert not seen.failed
    cell = seen.cell("gpu2", "ephemeral")
    assert cell.status == "warn"
    assert f"gpu2 has the higher address ({net['gpu2'].address}), so gloo connects from gpu2" in cell.seen
    net.between(f"{net.connections('gpu2', 'gpu1')} tcp dport 30000-65535 drop")
    assert (await run_checks(net, "29500", "ephemeral")).failed == {("gpu1", "ephemeral")}


async def test_a_lossy_link_is_a_warning_and_never_a_closed_port(net: Network) -> None:
    net.between("meta l4proto icmp numgen inc mod 5 == 0 drop", "meta l4proto tcp numgen inc mod 9 == 0 drop")
    seen = await run_checks(net, "reach", "ports", inventory=net.inventory(ssh=True))
    assert not seen.closed
    assert not seen.failed
    assert {seen.cell(node, "ping").status for node in ("gpu1", "gpu2")} == {"warn"}
    assert "loses packets" in seen.cell("gpu1", "ping").seen


async def test_the_slow_link_is_measured_and_named(net: Network) -> None:
    net["gpu2"].shape("100mbit")
    seen = await run_checks(net, "network", measure_bytes=4 << 20, measure_seconds=0.6)
    for node in ("master", "gpu1"):
        cell = seen.cell(node, "bandwidth")
        assert (cell.status, "to gpu2, the slowest of 2" in cell.seen) == ("warn", True), cell
    rates = {
        (one.peer, one.node): one.bytes_per_second
        for one in seen
        if isinstance(one, PairProbed) and one.bytes_per_second
    }
    assert len(rates) == 6
    for target in ("master", "gpu1"):
        assert rates["gpu2", target] * 8 == pytest.approx(100e6, rel=0.2)
        assert rates[target, "gpu2"] > 4 * rates["gpu2", target], "the other direction is not slow"


async def test_who_holds_the_port_is_named_where_it_matters(net: Network) -> None:
    net["master"].listen(29500)
    net["gpu1"].listen(29502)
    seen = await run_checks(net, "29500", "29502")
    assert not seen.failed, "a launch takes another port"
    assert seen.cell("master", "29500").status == "warn"
    # `ip netns exec` becomes the program, so its pid is the listener's.
    assert f"(pid {net['master'].processes[0].pid})" in seen.cell("master", "29500").seen
    assert "this run does not listen on it" in seen.cell("gpu1", "29502").seen
    assert not seen.closed, "a port that could not be tested does not count as closed"


async def test_a_disk_that_is_too_small_for_the_deploy(net: Network) -> None:
    small = net["gpu1"].project
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(small)], check=True)
    try:
        (net["master"].project / "weights.bin").write_bytes(bytes(5 << 20))
        seen = await run_checks(net, "disk")
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert seen.failed == {("gpu1", "disk")}
    assert "the deploy needs 5.0 MiB" in seen.cell("gpu1", "disk").seen


async def test_a_disk_that_is_too_small_for_the_data(net: Network) -> None:
    """On the project's disk the data counts with the code; files that are there do not count."""
    master, worker = net["master"].project, net["gpu1"].project
    (master / "set").mkdir()
    (master / "set/a.bin").write_bytes(bytes(5 << 20))
    apart = worker.parent / "apart"
    for mounted, data, said in (
        (worker, DataSettings(root="set", sync="once"), "the deploy needs 5.0 MiB, 5.0 MiB of them for data"),
        (
            apart,
            DataSettings(root="set", on=(("gpu1", f"{apart}/set"),), sync="once"),
            "the data needs 5.0 MiB",
        ),
    ):
        described = replace(net.inventory(), data=data)
        mounted.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(mounted)], check=True)
        try:
            (mounted / "filler").write_bytes(bytes(4 << 20))
            seen = await run_checks(net, "disk", inventory=described)
            assert seen.failed == {("gpu1", "disk")}
            assert said in seen.cell("gpu1", "disk").seen
            unused = replace(described, data=replace(data, sync="no"))
            assert not (await run_checks(net, "disk", inventory=unused)).failed
            (mounted / "set").mkdir()
            (mounted / "filler").rename(mounted / "set/a.bin")
            assert not (await run_checks(net, "disk", inventory=described)).failed
        finally:
            subprocess.run(["umount", str(mounted)], check=True)


async def test_a_clock_that_is_wrong(net: Network, tmp_path: Path) -> None:
    early = tmp_path / "early-python"
    early.write_text(
        f"#!{sys.executable} -I\n"
        "import sys, time\n"
        "right = time.time\n"
        "time.time = lambda: right() + 97.0\n"
        "exec(sys.argv[sys.argv.index('-c') + 1])\n",
        "utf-8",
    )
    early.chmod(0o755)
    fleet = net.inventory()
    skewed = tuple(replace(one, python=str(early)) if one.name == "gpu1" else one for one in fleet.workers)
    seen = await run_checks(net, "clock", inventory=replace(fleet, workers=skewed))
    assert (seen.cell("gpu1", "clock").status, seen.cell("gpu2", "clock").status) == ("warn", "ok")
    assert "97.0 s ahead of the master" in seen.cell("gpu1", "clock").seen


async def test_services_as_seen_from_outside(net: Network) -> None:
    server = (
        "import socket, sys, threading\n"
        "def serve(port, words):\n"
        "    with socket.create_server(('0.0.0.0', port)) as listener:\n"
        "        while True:\n"
        "            client = listener.accept()[0]\n"
        "            client.sendall(words)\n"
        "            client.close()\n"
        "for port, words in ((22, b'Welcome\\r\\nSSH-2.0-OpenSSH_9.5\\r\\n'), (23, b'HTTP/1.0 400\\r\\n')):\n"
        "    threading.Thread(target=serve, args=(port, words)).start()\n"
        "print('ready', flush=True)\n"
    )
    process = net["gpu1"].start(sys.executable, "-c", server)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    net["gpu2"].filter("tcp dport 22 drop", "meta l4proto icmp drop")
    async with net.fleet() as fleet:
        link = await fleet.link(fleet.inventory.master)

        async def outcome(host: str, port: int) -> tuple[str, str]:
            probes = [
                {"transport": "ssh", "protocol": "ssh", "scheme": "", "port": port},
                {"transport": "winrm", "protocol": "winrm", "scheme": "http", "port": 5985},
                {"transport": "new", "protocol": "tcp", "scheme": "", "port": port},
            ]
            found = await link.call(OPERATIONS["netprobe"], {"host": host, "services": probes})
            ssh, winrm, tcp = found["services"]
            assert winrm["outcome"] == "refused"
            # A plain TCP service is open if it accepts the connection, whatever it sends.
            assert tcp["outcome"] == ("open" if ssh["outcome"] == "foreign" else ssh["outcome"])
            assert [one["transport"] for one in found["services"]] == ["ssh", "winrm", "new"]
            return ssh["outcome"], ssh["banner"]

        gpu1, gpu2 = net["gpu1"].address, net["gpu2"].address
        found = await asyncio.gather(
            *(outcome(host, port) for host, port in ((gpu1, 22), (gpu1, 23), (gpu1, 24), (gpu2, 22)))
        )
    assert found[0] == ("open", "SSH-2.0-OpenSSH_9.5")
    assert [word for word, _ in found[1:]] == ["foreign", "refused", "dropped"]


async def test_a_closed_firewall_is_opened_for_the_cluster_alone_and_checked_again(net: Network) -> None:
    closed = [
        "iptables",
        "-A",
        "INPUT",
        "-p",
        "tcp",
        "!",
        "-i",
        "lo",
        "-m",
        "state",
        "--state",
        "NEW",
        "-j",
        "DROP",
    ]
    subprocess.run(net["gpu1"].command(*closed), check=True)
    async with net.fleet() as fleet:
        options = PreflightOptions(checks=("ports",))
        before = PreflightEvents([event async for event in preflight(fleet, fleet.nodes, options)])
        assert before.failed == {("gpu1", "ephemeral")}
        fixes: list[Fix] = await find_fixes(fleet, fleet.nodes, before.failed_checks)
        (fix,) = fixes
        addresses = ",".join(net[name].address for name in ("master", "gpu2"))
        assert fix.shown == f"iptables -I INPUT -p tcp -s {addresses} -j ACCEPT"
        after = PreflightEvents([event async for event in apply_fix(fleet, fleet.nodes, fix, options)])
        assert {one.check for one in after.cells} == set(PORTS)
        assert {(one.node, one.status) for one in after.cells} == {("gpu1", "ok")}


async def test_a_cancelled_preflight_leaves_no_listener(net: Network) -> None:
    async with net.fleet() as fleet:
        events = preflight(fleet, fleet.nodes, PreflightOptions(checks=("network",)))
        async for event in events:
            if isinstance(event, PairProbed):
                break
        with suppress(RuntimeError):
            await events.aclose()
    for machine in net.machines.values():
        found = subprocess.run(machine.command("ss", "-Hltn"), check=True, capture_output=True, text=True)
        assert found.stdout.strip() == ""


async def test_connections_are_tested_while_a_gpu_driver_is_loading(net: Network, tmp_path: Path) -> None:
    """Loading a GPU driver takes seconds, and only the checks of GPUs wait for it."""
    loaded, programs = tmp_path / "loaded", tmp_path / "bin"
    programs.mkdir()
    slow = programs / "nvidia-smi"
    slow.write_text(f"#!/bin/sh\nwhile [ ! -e {loaded} ]; do sleep 0.05; done\nexit 9\n", "utf-8")
    slow.chmod(0o755)
    (net["gpu1"].project / "python").write_text(
        f'#!/bin/sh\nPATH={programs}:$PATH exec {sys.executable} "$@"\n', "utf-8"
    )
    (net["gpu1"].project / "python").chmod(0o755)
    python = str(net["gpu1"].project / "python")
    fleet = net.inventory()
    workers = tuple(replace(one, python=python) if one.name == "gpu1" else one for one in fleet.workers)
    before: set[tuple[str, str]] = set()
    async with net.fleet(replace(fleet, workers=workers)) as opened:
        async for event in preflight(opened, opened.nodes, PreflightOptions(checks=("ports", "gpu"))):
            if isinstance(event, CheckFinished):
                if not loaded.exists():
                    before.add((event.node, event.check))
                if {(node, port) for node in net.machines for port in PORTS[:-1]} <= before:
                    loaded.touch()
    assert {(node, port) for node in net.machines for port in PORTS[:-1]} <= before
    assert ("gpu1", "gpu") not in before
