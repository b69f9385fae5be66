"""Facts of this machine and of small made-up ones."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import psutil
import pytest

from agent.facts import linux, linux_adapters, machine, routes, windows, windows_adapters


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_and_disk_agree_with_psutil(tmp_path: Path) -> None:
    ram, paging = machine.memory()
    assert ram["total"] == psutil.virtual_memory().total
    assert abs(ram["free"] - psutil.virtual_memory().available) < 256 << 20
    assert paging["total"] == psutil.swap_memory().total
    disk = machine.disk(str(tmp_path / "not" / "yet" / "there"))
    assert disk["path"] == str(tmp_path)
    assert disk["total"] == psutil.disk_usage(str(tmp_path)).total


def test_cpu_agrees_with_psutil() -> None:
    assert machine.cpu()["threads"] == psutil.cpu_count()


def test_adapters_agree_with_psutil() -> None:
    known = psutil.net_if_addrs()
    found = {adapter.name: adapter for adapter in machine.adapters()}
    assert set(found) >= set(known)
    for name, addresses in known.items():
        ours = {text.split("/")[0] for text in found[name].interfaces}
        theirs = {a.address.split("%")[0] for a in addresses if a.family in (socket.AF_INET, socket.AF_INET6)}
        assert ours == theirs


def test_a_loopback_master_is_reached_through_loopback_alone() -> None:
    adapters, route = routes.routed(machine.adapters(), "127.0.5.6")
    assert route["source"] is not None
    assert route["source"].startswith("127.")
    assert [a["name"] for a in adapters if a["routes_to_master"]] == ["lo"]


def test_without_a_master_no_adapter_claims_a_route_to_it() -> None:
    adapters, route = routes.routed(machine.adapters(), "")
    assert route == {"master": None, "master_ip": None, "source": None}
    assert {adapter["routes_to_master"] for adapter in adapters} == {None}


def test_a_name_that_nobody_knows_is_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    _, route = routes.routed(machine.adapters(), "master.example")
    assert route == {"master": "master.example", "master_ip": None, "source": None}


def test_an_adapter_without_speed_carrier_or_address_is_still_listed(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "sys/class/net/eth9/ifindex": "77777\n",
            "sys/class/net/eth9/flags": "0x1003\n",
            "sys/class/net/eth9/operstate": "down\n",
            "sys/class/net/eth9/speed": "-1\n",
        },
    )
    (adapter,) = linux_adapters.adapters(str(root))
    assert (adapter.name, adapter.up, adapter.speed_mbps, adapter.interfaces) == ("eth9", False, None, [])


def test_a_notebook_tells_its_battery_and_a_mouse_does_not_count(tmp_path: Path) -> None:
    supplies = "sys/class/power_supply"
    root = put(
        tmp_path,
        {
            f"{supplies}/AC/type": "Mains\n",
            f"{supplies}/AC/online": "0\n",
            f"{supplies}/BAT0/type": "Battery\n",
            f"{supplies}/BAT0/capacity": "63\n",
            f"{supplies}/BAT0/status": "Discharging\n",
            f"{supplies}/hid-mouse/type": "Battery\n",
            f"{supplies}/hid-mouse/scope": "Device\n",
            f"{supplies}/hid-mouse/capacity": "5\n",
        },
    )
    power = linux.power(str(root))
    assert power["battery"] == {"percent": 63, "discharging": True}
    assert power["on_ac"] is False


def test_a_gpu_without_driver_is_found_on_the_bus(tmp_path: Path) -> None:
    devices = "sys/bus/pci/devices"
    root = put(
        tmp_path,
        {
            f"{devices}/0000:01:00.0/class": "0x030200\n",
            f"{devices}/0000:01:00.0/vendor": "0x10de\n",
            f"{devices}/0000:02:00.0/class": "0x020000\n",
            f"{devices}/0000:02:00.0/vendor": "0x1002\n",
        },
    )
    assert linux.display_vendors(str(root)) == ["10de"]


def test_a_control_groups_limit_counts_and_the_absence_of_one_does_not(tmp_path: Path) -> None:
    root = put(tmp_path, {"proc/meminfo": "MemTotal: 4096 kB\n", "sys/fs/cgroup/memory.max": "1048576\n"})
    assert linux.memory(str(root))[0]["limit"] == 1 << 20
    put(tmp_path, {"sys/fs/cgroup/memory.max": "max\n"})
    assert linux.memory(str(root))[0]["limit"] is None


def test_windows_11_is_called_so_although_its_registry_says_10() -> None:
    assert windows.product_name("Windows 10 Pro", 22631) == "Windows 11 Pro"
    assert windows.product_name("Windows 10 Pro", 19045) == "Windows 10 Pro"
    assert windows.product_name(None, 22631) is None


def test_windows_cores_are_the_records_of_different_size() -> None:
    records = b"".join(struct.pack("<II", 0, size) + bytes(size - 8) for size in (48, 48, 64))
    assert windows.count_records(records) == 3
    assert windows.count_records(records + b"\0\0\0\0\1\0\0\0") == 3


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        (struct.pack("<H", 2) + b"\0\0" + bytes([192, 168, 1, 101]) + bytes(8), "192.168.1.101"),
        (struct.pack("<H", 23) + bytes(6) + bytes(15) + b"\1" + bytes(4), "::1"),
        (struct.pack("<H", 99) + bytes(20), None),
        (b"", None),
    ],
)
def test_windows_addresses(raw: bytes, address: str | None) -> None:
    assert windows_adapters.parse_socket_address(raw) == address


def test_windows_adapters_without_speed_say_so_with_all_ones() -> None:
    assert windows_adapters.speed_mbps(10**9) == 1000
    assert windows_adapters.speed_mbps(2**64 - 1) is None
    assert windows_adapters.speed_mbps(0) is None
