"""Observations of a machine and the verdict on each, one case per line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.wire.deploy import TorchFacts
from agent.wire.message import Message, message, to_data
from fleet.preflight.observations import Absent
from tests.preflight.recordings import ADDRESSES
from tests.support import wire

GB = 10**9


@dataclass
class Case:
    check: str
    node: str
    status: str
    text: str
    patches: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.check}-{self.status}-{self.text[:30]}"


def ssh_service(outcome: str) -> list[dict[str, Any]]:
    return [service("ssh", 22, outcome)]


def service(
    transport: str, port: int, outcome: str, scheme: str = "", auth: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        "transport": transport,
        "protocol": transport,
        "scheme": scheme,
        "port": port,
        "outcome": outcome,
        "banner": "",
        "auth": list(auth),
        "ms": None,
    }


def failed_at(link: str, cause: str = "") -> dict[str, Any]:
    return {
        "state": "failed",
        "failed_step": link,
        "cause": cause,
        "what": "it said no",
        "remedy": "ask again",
    }


def winrm_service(port: int, outcome: str, *auth: str) -> list[dict[str, Any]]:
    scheme = {5985: "http", 5986: "https"}[port]
    return [service("winrm", port, outcome, scheme, auth)]


def ping(received: int, ms: list[float], method: str | None = "icmp") -> dict[str, Any]:
    return {"method": method, "sent": 5, "received": received, "ms": ms}


def resolved(*addresses: str, seconds: float = 0.01, error: str = "") -> dict[str, Any]:
    return {"addresses": list(addresses), "seconds": seconds, "error": error}


TAKEN = {
    "all": "in-use",
    "own": "in-use",
    "holder": {"pid": 18232, "name": "python.exe", "address": "0.0.0.0"},
}


def gpu(**changes: Any) -> Any:
    known = {"name": "NVIDIA GeForce RTX 4090", "memory_total": 25 * GB, "driver": "551.86"}
    return wire.probed_gpu(**known | changes)


def linux(**changes: Any) -> Any:
    return {**wire.facts()["os"], "name": "Debian", "version": "12", **changes}


MIG = {"index": 0, "uuid": "MIG-0", "memory_total": None, "memory_used": None}
CLOSED = {"outcome": "refused", "ms": None}
DROPPED = {"outcome": "dropped", "ms": None}
NAMED = {"gpu1": {"address": "gpu1.lab"}}
AUTO = {"gpu1": {"transport": "auto"}}
WINRM = {"gpu1": {"transport": "winrm"}}
AMD = gpu(name="AMD Radeon RX 7900 XTX", driver="24.10")
ORPHAN = {"run": "run-1", "rank": 1, "pid": 4711, "start_time": "1", "name": "python.exe"}
LINUX = linux()
NO_LOCK = to_data(message("environment.no-lock-file", "no uv.lock"))
NOT_LOADED = to_data("the driver is not loaded")
UNLOADABLE = {**dict.fromkeys(TorchFacts.__annotations__), "error": "OSError: c10.dll"}

IPV4_ONLY = {
    f"{node}/facts/adapters/0": wire.adapter(name="Ethernet", routes_to_master=True, addresses=[address])
    for node, address in ADDRESSES.items()
}

CASES = [
    Case("ping", "gpu1", "ok", "0.4 ms, 5 of 5"),
    Case("ping", "master", "skip", "this machine"),
    Case("ping", "gpu1", "warn", "loses packets", {"gpu1/outside/ping": ping(3, [0.4, 0.5, 0.6])}),
    Case("ping", "gpu1", "skip", "a firewall may block it", {"gpu1/outside/ping": ping(0, [])}),
    Case("ping", "gpu1", "warn", "no port responds",
         {"gpu1/outside/ping": ping(0, []), "gpu1/outside/services": ssh_service("dropped")}),
    Case("ping", "gpu1", "ok", "TCP handshakes (the master is not permitted to send ICMP)",
         {"gpu1/outside/ping": ping(5, [1.0] * 5, "tcp")}),
    Case("ping", "gpu1", "skip", "not permitted to send ICMP", {"gpu1/outside/ping": ping(0, [], None)}),
    Case("name", "gpu1", "skip", "not a name"),
    Case("name", "gpu1", "ok", "gpu1.lab resolves to 192.168.1.101", {}, NAMED),
    Case("name", "gpu1", "fail", "does not resolve",
         {"gpu1/outside/name": resolved(error="not known"), "gpu1/link": failed_at("reach")}, NAMED),
    Case("name", "gpu1", "fail", "the master itself", {"gpu1/outside/name": resolved("127.0.1.1")}, NAMED),
    Case("name", "gpu1", "warn", "after 2.5 s",
         {"gpu1/outside/name": resolved("192.168.1.101", seconds=2.5)}, NAMED),
    Case("name", "gpu1", "skip", "does not resolve on the master, but the transport ssh connects",
         {"gpu1/outside/name": resolved(error="not known")}, NAMED),
    Case("ssh", "gpu1", "ok", "SSH-2.0-OpenSSH_for_Windows"),
    Case("ssh", "gpu1", "fail", "connection refused",
         {"gpu1/outside/services": ssh_service("refused"), "gpu1/link": failed_at("reach")}),
    Case("ssh", "gpu1", "fail", "no response",
         {"gpu1/outside/services": ssh_service("dropped"), "gpu1/link": failed_at("reach")}),
    Case("ssh", "gpu1", "fail", "a different service responds",
         {"gpu1/outside/services": ssh_service("foreign"), "gpu1/link": failed_at("reach")}),
    Case("ssh", "gpu1", "skip", "over another connection", {"gpu1/outside/services": ssh_service("dropped")}),
    Case("ssh", "gpu1", "skip", "a service of winrm responds",
         {"gpu1/outside/services": [*ssh_service("refused"), *winrm_service(5985, "open")],
          "gpu1/link": failed_at("login")}, AUTO),
    Case("ssh", "gpu1", "fail", "connection refused",
         {"gpu1/outside/services": [*ssh_service("refused"), *winrm_service(5985, "dropped")],
          "gpu1/link": failed_at("reach")}, AUTO),
    Case("winrm", "gpu1", "skip", "no response",
         {"gpu1/outside/services": [*ssh_service("refused"), *winrm_service(5985, "dropped")],
          "gpu1/link": failed_at("reach")}, AUTO),
    Case("ssh", "gpu1", "skip", "transport: winrm",
         {"gpu1/outside/services": winrm_service(5985, "open")}, WINRM),
    Case("ssh", "gpu1", "skip", "the name has no address",
         {"gpu1/outside/name": resolved(error="not known"), "gpu1/outside/services": [],
          "gpu1/link": failed_at("reach")}, NAMED),
    Case("winrm", "gpu1", "ok", "Microsoft Corporation"),
    Case("winrm", "gpu1", "fail", "connection refused",
         {"gpu1/outside/services": winrm_service(5985, "refused"),
          "gpu1/link": failed_at("reach")}, WINRM),
    Case("winrm", "gpu1", "ok", "requires authentication for Identify (Basic, Negotiate)",
         {"gpu1/outside/services": winrm_service(5986, "open", "Basic", "Negotiate")}, WINRM),
    Case("winrm", "gpu1", "fail", "a different service responds",
         {"gpu1/outside/services": winrm_service(5986, "foreign"),
          "gpu1/link": failed_at("reach")}, WINRM),
    Case("winrm", "gpu1", "skip", "not needed",
         {"gpu1/outside/services": winrm_service(5985, "dropped")}, AUTO),
    Case("winrm", "gpu1", "skip", "transport: ssh", {"gpu1/outside/services": ssh_service("open")}),
    Case("reach", "gpu1", "ok", "connected to 192.168.1.101 by ssh"),
    Case("reach", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("reach")}),
    Case("hostkey", "gpu1", "ok", "recorded"),
    Case("hostkey", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("login", "HostKeyChanged")}),
    Case("hostkey", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("login", "HostKeyUnknown")}),
    Case("hostkey", "gpu1", "fail", "it said no",
         {"gpu1/link": failed_at("login", "CertificateRejected")}, WINRM),
    Case("hostkey", "gpu1", "skip", "not checked", {"gpu1/link": failed_at("reach")}),
    Case("login", "gpu1", "ok", "ok"),
    Case("login", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("login")}),
    Case("login", "gpu1", "skip", "`reach` failed", {"gpu1/link": failed_at("reach")}),
    Case("python", "gpu1", "ok", "3.11.9"),
    Case("python", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("python")}),
    Case("agent", "gpu1", "ok", "3 ms"),
    Case("agent", "gpu1", "fail", "it said no", {"gpu1/link": failed_at("agent")}),
    Case("agent", "gpu1", "fail", "ended with status 1",
         {"gpu1/facts": Absent(Message("it ended with status 1"))}),
    Case("29500", "master", "ok", "open from gpu[1-2]"),
    Case("29500", "master", "warn", "in use by python.exe (pid 18232); the run uses port 29501 instead",
         {"master/ports/ports/29500": TAKEN}),
    Case("29500", "master", "warn", "the run uses port 29502 instead",
         {"master/ports/ports/29500": TAKEN, "gpu2/mesh/reaches/master/29501": DROPPED}),
    Case("29500", "master", "fail", "in use by python.exe (pid 18232)",
         {f"master/ports/ports/{port}": TAKEN for port in range(29500, 29505)}),
    Case("29500", "gpu1", "warn", "this run does not listen on it", {"gpu1/ports/ports/29500": TAKEN}),
    Case("29500", "master", "warn", "reserved by Windows (29480-29579",
         {"master/ports/excluded": [[29480, 29579]],
          "master/ports/ports/29500": {"all": "forbidden", "own": "forbidden", "holder": None}}),
    Case("29500", "master", "fail", "gpu2 cannot connect to master on port 29500: no response",
         {"gpu2/mesh/reaches/master/29500": DROPPED}),
    Case("29500", "master", "warn", "not measured from gpu2: the machines were too busy",
         {"gpu2/mesh/reaches/master/29500": {"outcome": "unmeasured", "ms": None}}),
    Case("29500", "gpu1", "warn", "this run only needs port 29500 on rank 0's node",
         {"gpu2/mesh/reaches/gpu1/29500": DROPPED}),
    Case("29501", "gpu1", "ok", "open from gpu2,master"),
    Case("29501", "gpu1", "warn", "refused", {"gpu2/mesh/reaches/gpu1/29501": CLOSED}),
    Case("29502", "master", "ok", "open"),
    Case("29502", "gpu2", "warn", "in use", {"gpu2/ports/ports/29502": TAKEN}),
    Case("29503", "master", "ok", "open"),
    Case("29503", "gpu2", "warn", "so connections to it were not tested",
         {"gpu2/mesh/listening/29503": {"port": None, "error": "in-use"}}),
    Case("29504", "master", "ok", "open"),
    Case("29504", "gpu2", "warn", "refused", {"gpu1/mesh/reaches/gpu2/29504": CLOSED}),
    Case("ephemeral", "gpu1", "ok", "open from"),
    Case("ephemeral", "gpu1", "fail", "gpu2 cannot connect to gpu1 on an ephemeral port",
         {"gpu2/mesh/reaches/gpu1/ephemeral": DROPPED}),
    Case("ephemeral", "gpu2", "warn", "gpu2 has the higher address (192.168.1.102), so gloo connects",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED, **IPV4_ONLY}),
    Case("ephemeral", "gpu1", "fail", "gpu2 cannot connect to gpu1 on an ephemeral port",
         {"gpu2/mesh/reaches/gpu1/ephemeral": DROPPED, **IPV4_ONLY}),
    Case("ephemeral", "gpu2", "fail", "cannot connect to gpu2",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED}),
    Case("ephemeral", "gpu2", "fail", "cannot connect to gpu2",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED, **IPV4_ONLY, "*/facts/os/system": "Linux"}),
    Case("ephemeral", "gpu2", "fail", "IPv4 and IPv6", {"gpu2/link/source": "fd00::2"}),
    Case("os", "gpu1", "ok", "Windows 11 Pro 23H2"),
    Case("os", "gpu1", "fail", "too old", {"gpu1/facts/os/build": "10.0.14393.1"}),
    Case("os", "gpu1", "ok", "Debian 12", {"gpu1/facts/os": LINUX}),
    Case("os", "gpu1", "fail", "32-bit", {"gpu1/facts/python/bits": 32}),
    Case("gpu", "gpu1", "ok", "2 x NVIDIA GeForce RTX 4090, 24.0 GiB each"),
    Case("gpu", "gpu1", "ok", "as set in the inventory", {"gpu1/facts/gpus": []}, {"gpu1": {"gpus": 0}}),
    Case("gpu", "gpu1", "warn", "no GPU",
         {"gpu1/facts/gpus": [], "gpu1/facts/gpu_error": NOT_LOADED}),
    Case("gpu", "gpu1", "fail", "the driver is not loaded",
         {"gpu1/facts/gpus": [], "gpu1/facts/gpu_error": NOT_LOADED}, {"gpu1": {"gpus": 2}}),
    Case("gpu", "gpu1", "fail", "the inventory requires 4", {}, {"gpu1": {"gpus": 4}}),
    Case("gpu", "gpu1", "fail", "has failed", {"gpu1/facts/gpus/1/error": to_data("the GPU is lost")}),
    Case("gpu", "gpu1", "warn", "no Windows build", {"gpu1/facts/gpus": [AMD]}),
    Case("gpu", "gpu1", "warn", "with ROCm", {"gpu1/facts/gpus": [AMD], "gpu1/facts/os": LINUX}),
    Case("gpu", "gpu1", "warn", "less than 8 GB", {"gpu1/facts/gpus/0/memory_total": 4 * GB}),
    Case("gpu-same", "gpu1", "ok", "all GPUs of the run: NVIDIA GeForce RTX 4090"),
    Case("gpu-same", "gpu1", "warn", "other nodes have NVIDIA A100",
         {"gpu2/facts/gpus": [gpu(name="NVIDIA A100")]}),
    Case("driver", "gpu1", "ok", "driver 551.86, supports CUDA up to 12.4"),
    Case("driver", "gpu1", "warn", "unknown version", {"gpu1/facts/gpus": [gpu(driver=None)]}),
    Case("driver", "gpu1", "skip", "no NVIDIA", {"gpu1/facts/gpus": [AMD]}),
    Case("gpu-mode", "gpu1", "ok", "default"),
    Case("gpu-mode", "gpu1", "fail", "GPU 0 is in Prohibited compute mode",
         {"gpu1/facts/gpus/0/compute_mode": "prohibited"}),
    Case("gpu-mode", "gpu1", "ok", "exclusive", {"gpu1/facts/gpus/0/compute_mode": "exclusive"}),
    Case("gpu-mode", "gpu1", "skip", "not reported by the driver",
         {"gpu1/facts/gpus/0/compute_mode": None, "gpu1/facts/gpus/1/compute_mode": None}),
    Case("gpu-mode", "gpu1", "warn", "MIG", {"gpu1/facts/gpus/0/mig": [MIG]}),
    Case("gpu-free", "gpu1", "ok", "free"),
    Case("gpu-free", "gpu1", "warn", "8.4 GiB in use", {"gpu1/facts/gpus/0/memory_used": 9 * GB}),
    Case("gpu-free", "gpu1", "warn", "8.4 GiB in use by blender.exe",
         {"gpu1/facts/gpus/0/memory_used": 9 * GB,
          "gpu1/facts/gpus/0/processes": [wire.process(7, name="C:\\Program Files\\Blender\\blender.exe")]}),
    Case("gpu-free", "gpu1", "ok", "free",
         {"gpu1/facts/gpus/0/processes": [wire.process(4, name="C:\\Windows\\explorer.exe")]}),
    Case("gpu-free", "gpu1", "warn", "in use by python3",
         {"gpu1/facts/os": LINUX, "gpu1/facts/gpus/0/memory_used": GB,
          "gpu1/facts/gpus/0/processes": [wire.process(7, name="/usr/bin/python3")]}),
    Case("gpu-free", "gpu1", "skip", "no GPU", {"gpu1/facts/gpus": []}),
    Case("ram", "gpu1", "ok", "63.3 GiB"),
    Case("ram", "gpu1", "warn", "little", {"gpu1/facts/ram/total": 4 * GB, "gpu1/facts/ram/free": 3 * GB}),
    Case("ram", "gpu1", "warn", "almost all", {"gpu1/facts/ram/free": 2 * GB}),
    Case("paging", "gpu1", "ok", "commit limit free"),
    Case("paging", "gpu1", "warn", "WinError 1455", {"gpu1/facts/paging/commit_free": 3 * GB}),
    Case("paging", "gpu1", "skip", "Windows only", {"gpu1/facts/os": LINUX}),
    Case("disk", "gpu1", "ok", "756 GiB free"),
    Case("disk", "gpu1", "fail", "the deploy needs", {"gpu1/facts/disk/free": 500_000}),
    Case("disk", "gpu1", "fail", "but the data needs",
         {"gpu1/conditions/data": {"path": "D:\\data", "apart": True, "present": 0, "free": 1_000}}),
    Case("disk", "gpu1", "ok", "756 GiB free",
         {"gpu1/conditions/data": {"path": "D:\\data", "apart": True, "present": 1 << 50, "free": 0}}),
    Case("disk", "gpu1", "fail", "of them for data",
         {"gpu1/facts/disk/free": 3 * GB,
          "gpu1/conditions/data": {"path": "D:\\data", "apart": False, "present": 0, "free": 3 * GB}}),
    Case("disk", "gpu1", "fail", "kim cannot write to", {"gpu1/conditions/writable": False}),
    Case("disk", "gpu1", "warn", "environment with torch",
         {"gpu1/facts/disk/free": 5 * GB, "gpu1/conditions/environment": None}),
    Case("disk", "gpu1", "warn", "checkpoints", {"gpu1/facts/disk/free": GB // 10}),
    Case("clock", "gpu1", "ok", "within"),
    Case("clock", "gpu1", "ok", "1.2 s ahead", {"gpu1/link/clock": {"offset": 1.2, "uncertainty": 0.01}}),
    Case("clock", "gpu1", "warn", "97.0 s behind",
         {"gpu1/link/clock": {"offset": -97.0, "uncertainty": 0.01}}),
    Case("clock", "gpu1", "ok", "within 8.00 s", {"gpu1/link/clock": {"offset": 7.0, "uncertainty": 8.0}}),
    Case("adapter", "master", "ok", "Ethernet, 192.168.1.100, 2.5 Gbit/s"),
    Case("adapter", "gpu2", "warn", "gloo uses the first address that Windows lists, fe80::9"),
    Case("adapter", "gpu2", "ok", "Ethernet, 192.168.1.102, 2.5 Gbit/s", {"gpu2/facts/os": LINUX}),
    Case("adapter", "gpu1", "warn", "not ASCII"),
    Case("adapter", "master", "warn", "wireless", {"master/facts/adapters/0/wireless": True}),
    Case("adapter", "master", "warn", "slow", {"master/facts/adapters/0/speed_mbps": 100}),
    Case("adapter", "gpu2", "warn", "IPv6", {"gpu2/facts/adapters/0/addresses": ["fd00::2"]}),
    Case("adapter", "gpu2", "warn", "torch guesses", {"gpu2/facts/adapters/0/routes_to_master": None}),
    Case("adapter", "gpu2", "fail", "gpu2 has no adapter 'eth9'", {}, {"gpu2": {"interface": "eth9"}}),
    Case("adapter", "gpu2", "fail", "loopback", {"gpu2/facts/adapters/0/loopback": True}),
    Case("power", "gpu1", "ok", "균형 조정"),
    Case("power", "gpu1", "warn", "slows", {"gpu1/facts/power/plan": "Power saver"}),
    Case("power", "gpu1", "skip", "not reported", {"gpu1/facts/power/plan": None}),
    Case("power", "gpu1", "warn", "slows", {"gpu1/facts/power/plan": "절전"}),
    Case("sleep", "gpu2", "ok", "does not sleep"),
    Case("sleep", "gpu1", "warn", "sleeps after 30 min and hibernates after 180 min"),
    Case("battery", "gpu1", "ok", "no battery"),
    Case("battery", "gpu1", "ok", "on AC power, 98%",
         {"gpu1/facts/power/battery": {"percent": 98, "discharging": False}, "gpu1/facts/power/on_ac": True}),
    Case("battery", "gpu1", "warn", "on battery, charge unknown",
         {"gpu1/facts/power/battery": {"percent": None, "discharging": None},
          "gpu1/facts/power/on_ac": False}),
    Case("battery", "gpu1", "warn", "on battery, 61%",
         {"gpu1/facts/power/battery": {"percent": 61, "discharging": True}}),
    Case("long-paths", "gpu2", "ok", "allowed"),
    Case("long-paths", "gpu1", "warn", "WinError 206"),
    Case("long-paths", "gpu1", "skip", "Windows only", {"gpu1/facts/long_paths": None}),
    Case("execution-policy", "gpu2", "ok", "RemoteSigned"),
    Case("execution-policy", "gpu1", "warn", "Restricted"),
    Case("execution-policy", "gpu1", "warn", "AllSigned", {"gpu1/facts/execution_policy": "AllSigned"}),
    Case("execution-policy", "gpu1", "skip", "Windows only", {"gpu1/facts/execution_policy": None}),
    Case("login-shell", "gpu1", "ok", "cmd.exe"),
    Case("login-shell", "gpu1", "skip", "Windows only", {"gpu1/facts/login_shell": None}),
    Case("login-shell", "gpu1", "ok", "PowerShell\\7\\pwsh.exe; each connection",
         {"gpu1/facts/login_shell/default_shell": r"C:\Program Files\PowerShell\7\pwsh.exe"}),
    Case("login-shell", "gpu1", "ok", "bash.exe",
         {"gpu1/facts/login_shell/default_shell": r"C:\Program Files\Git\bin\bash.exe"}),
    Case("login-shell", "gpu1", "warn", "cmd.exe; each cmd.exe first runs chcp 65001 (AutoRun)",
         {"gpu1/facts/login_shell/autorun": ["chcp 65001"]}),
    Case("defender", "gpu2", "ok", "excluded"),
    Case("defender", "gpu1", "skip", "administrator"),
    Case("defender", "gpu1", "ok", "protection is off",
         {"gpu1/conditions/defender": {"watching": False, "excluded": None}}),
    Case("defender", "gpu1", "skip", "Windows only", {"gpu1/conditions/defender": None}),
    Case("defender", "gpu1", "warn", "scans every project file",
         {"gpu1/conditions/defender": {"watching": True, "excluded": ["C:\\Users\\kim\\dtui\\floor"]}}),
    Case("utf8", "gpu1", "ok", "code page 949"),
    Case("utf8", "gpu1", "warn", "PYTHONUTF8=0", {}, {"gpu1": {"env": (("PYTHONUTF8", "0"),)}}),
    Case("leftovers", "gpu1", "ok", "no processes"),
    Case("leftovers", "gpu1", "warn", "pid 4711", {"gpu1/conditions/orphans": [ORPHAN]}),
    Case("leftovers", "gpu1", "warn", "a run is in progress in this project: run-2",
         {"gpu1/conditions/under_way": ["run-2"]}),
    Case("plan", "gpu1", "ok", "ranks 2-3 of 6, gloo, rendezvous 192.168.1.100:29500"),
    Case("plan", "gpu1", "fail", "no GPU to train on", {"gpu1/facts/gpus": []}),
    Case("environment", "gpu1", "ok", "Python 3.11.9, uv"),
    Case("environment", "gpu1", "skip", "nothing is deployed", {"gpu1/conditions/environment": None}),
    Case("environment", "gpu1", "warn", "no uv.lock",
         {"gpu1/conditions/environment/warnings": [NO_LOCK]}),
    Case("python-same", "gpu1", "ok", "Python 3.11"),
    Case("python-same", "gpu1", "warn", "Python 3.12", {"gpu1/conditions/environment/python": "3.12.1"}),
    Case("torch", "gpu1", "ok", "torch 2.13.0"),
    Case("torch", "gpu1", "fail", "torch 2.12.0, but 2.13.0 on gpu2,master",
         {"gpu1/conditions/environment/packages/torch": "2.12.0"}),
    Case("torch", "gpu2", "ok", "2.13.0", {"gpu1/conditions/environment/packages/torch": "2.12.0"}),
    Case("torch", "gpu1", "fail", "is missing", {"gpu1/conditions/environment/packages": {}}),
    Case("accelerate", "gpu1", "ok", "1.15.0"),
    Case("accelerate", "gpu1", "warn", "1.10.0",
         {"gpu1/conditions/environment/packages/accelerate": "1.10.0"}),
    Case("backend", "gpu1", "ok", "gloo in torch 2.13.0+cu126, test process group started"),
    Case("backend", "gpu1", "fail", "2.8 to 2.10",
         {"gpu1/conditions/environment/torch/version": "2.9.1+cpu",
          "gpu1/conditions/environment/torch/gloo": False}),
    Case("backend", "gpu1", "fail", "built without libuv", {}, {"run": {"env": (("USE_LIBUV", "1"),)}}),
    Case("backend", "gpu1", "ok", "gloo", {"gpu1/facts/os": LINUX}, {"gpu1": {"env": (("USE_LIBUV", "1"),)}}),
    Case("backend", "gpu1", "fail", "torch 2.9.1 is built without gloo",
         {"gpu1/facts/os": LINUX, "gpu1/conditions/environment/torch/version": "2.9.1",
          "gpu1/conditions/environment/torch/gloo": False}),
    Case("backend", "gpu1", "fail", "does not load",
         {"gpu1/facts/os": LINUX, "gpu1/conditions/environment/torch": UNLOADABLE}),
    Case("gpu-computes", "gpu1", "fail", "finds none of the 2 GPUs",
         {"gpu1/facts/os": LINUX, "gpu1/trial/found/devices": []}),
    Case("29500", "master", "fail", "dropped by a firewall",
         {"master/facts/os": LINUX,
          "gpu1/mesh/reaches/master/29500": {"outcome": "dropped", "ms": None}}),
    Case("backend", "gpu1", "fail", "built without NCCL",
         {"*/facts/os": LINUX, "gpu1/conditions/environment/torch/nccl": False}),
    Case("backend", "gpu1", "fail", "built without gloo",
         {"gpu1/conditions/environment/torch/version": "2.12.0",
          "gpu1/conditions/environment/torch/gloo": False}),
    Case("backend", "gpu1", "skip", "torch is not deployed", {"gpu1/conditions/environment/torch": None}),
    Case("backend", "gpu1", "fail", "cannot start",
         {"gpu1/trial/found/backend": "RuntimeError: unsupported gloo device"}),
    Case("backend", "gpu1", "fail", "does not load",
         {"gpu1/conditions/environment/torch": UNLOADABLE}),
    Case("cuda", "gpu1", "ok", "CUDA 12.6, driver 551.86"),
    Case("cuda", "gpu1", "fail", "a CPU build", {"gpu1/conditions/environment/torch/cuda": None}),
    Case("cuda", "gpu1", "fail", "580.88 or newer", {"gpu1/conditions/environment/torch/cuda": "13.0"}),
    Case("cuda", "gpu1", "skip", "torch is not deployed", {"gpu1/conditions/environment/torch": None}),
    Case("cuda", "gpu1", "skip", "no NVIDIA GPU", {"gpu1/facts/gpus": [AMD]}),
    Case("cuda", "gpu1", "fail", "525.60 or newer",
         {"gpu1/facts/os": LINUX, "gpu1/facts/gpus/0/driver": "515.65.01"}),
    Case("cuda", "gpu1", "fail", "finds no GPU", {"gpu1/conditions/environment/torch/sees_gpu": False}),
    Case("gpu-computes", "gpu1", "ok", "2 GPUs computed a correct result"),
    Case("gpu-computes", "gpu1", "fail", "GPU 1: CUDA error",
         {"gpu1/trial/found/devices/1/error": to_data("CUDA error")}),
    Case("gpu-computes", "gpu1", "fail", "finds none of the 2 GPUs", {"gpu1/trial/found/devices": []}),
    Case("gpu-computes", "gpu1", "fail", "a CPU build",
         {"gpu1/trial/found/devices": [], "gpu1/trial/found/cuda": None}),
    Case("gpu-computes", "gpu1", "fail", "could not run the trial",
         {"gpu1/trial/found/error": to_data(message("trial.no-answer", "no answer within 90 s"))}),
    Case("gpu-computes", "gpu1", "skip", "trains on the CPU",
         {"gpu1/trial": {"skipped": "trains on the CPU", "found": None}}),
    Case("code", "gpu1", "ok", "2 files, the same as on master"),
    Case("code", "gpu1", "fail", "1 file different: trainer/train.py",
         {"gpu1/code/trainer~train.py": "other"}),
    Case("code", "gpu1", "skip", "nothing is deployed",
         {"gpu1/conditions/deployed": 0, "gpu1/conditions/environment": None}),
    Case("code", "gpu1", "fail", "missing or different", {"gpu1/code/trainer~train.py": "missing"}),
    Case("data", "gpu1", "ok", "60000 files, 774 MiB; names, sizes and 61.0 MiB of contents"),
    Case("data", "gpu1", "fail", "data/train/label_floorplan has 29998 files instead of 30000",
         {"gpu1/data/names": "cc", "gpu1/data/folders/train~label_floorplan": [29998, 765, "m"],
          "gpu1/data/files": 59998}),
    Case("data", "gpu1", "fail", "different contents, for example data/train/label_floorplan/1.png",
         {"gpu1/data/contents": "zz", "gpu1/data/sampled": {"train/label_floorplan/1.png": "99"}}),
    Case("data", "gpu1", "ok", "all contents", {"*/data/read": 10**12}),
    Case("data", "gpu1", "skip", "nothing is deployed",
         {"gpu1/data/exists": False, "gpu1/conditions/deployed": 0, "gpu1/conditions/environment": None}),
    Case("data", "gpu1", "fail", "data/old exists only on this node",
         {"gpu1/data/names": "cc", "gpu1/data/folders/old": [1, 1, "t"]}),
    Case("data", "gpu1", "fail", "data is missing or empty",
         {"gpu1/data/exists": False, "gpu1/data/files": 0}),
    Case("data", "gpu1", "skip", "no node has", {"*/data/exists": False}),
    Case("data", "gpu1", "skip", "nodes.yaml has no `data`", changes={"run": {"module": "nanogpt"}}),
    Case("data", "gpu1", "ok", "60000 files, 774 MiB; names as on master", {"gpu1/data/names": "cc"},
         changes={"data": {"root": "data", "parity": "names"}}),
    Case("data", "gpu1", "fail", "not as on master", {"gpu1/data/paths": "cc"},
         changes={"data": {"root": "data", "parity": "names"}}),
    Case("data", "gpu1", "ok", "names and sizes as on master", {"gpu1/data/contents": "zz"},
         changes={"data": {"root": "data", "parity": "sizes"}}),
    Case("data", "gpu1", "skip", "not compared", {"gpu1/data/names": "cc"},
         changes={"data": {"root": "data", "parity": "off"}}),
    Case("config", "master", "ok", "read by the program without errors"),
    Case("config", "gpu1", "skip", "see the result of master"),
    Case("config", "master", "skip", "gets no --config", {"master/config/path": None}),
    Case("config", "master", "ok", "valid YAML", {"master/config/by_program": False}),
    Case("config", "master", "fail", "there is no train_config.yaml",
         {"master/config/exists": False, "master/config/faults": ["there is no train_config.yaml"]}),
    Case("config", "master", "fail", "training.batch_size: 0 is below 1",
         {"master/config/faults": ["configs/train_config.yaml:3: training.batch_size: 0 is below 1"]}),
    Case("batch", "master", "ok", "effective batch 96 = 8 x 6 ranks x 2 accumulation steps; 30000 training"),
    Case("batch", "gpu1", "skip", "see the result of master"),
    Case("batch", "master", "skip", "no training.batch_size", {"master/config/values": {}}),
    Case("batch", "master", "skip", "cannot be planned", {"gpu1/facts/gpus": []}),
    Case("batch", "master", "fail", "only 40 training pairs",
         {"master/data/folders": {"train/input_text": [40, 1, "t"]}}),
    Case("batch", "master", "fail", "is not divisible by 6 ranks",
         {"master/config/values": {"training": {"batch_size": 8, "total_batch_size": 64}}}),
    Case("latency", "gpu1", "ok", "0.40 ms"),
    Case("latency", "gpu1", "warn", "9.00 ms to gpu2", {"gpu1/links/gpu2/rtt": 9.0}),
    Case("bandwidth", "gpu1", "ok", "2.3 Gbit/s"),
    Case("bandwidth", "gpu1", "warn", "94 Mbit/s to gpu2, the slowest", {"gpu1/links/gpu2/rate": 11.75e6}),
]  # fmt: skip
