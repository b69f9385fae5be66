"""Each check's good and bad outcomes, judged from what machines said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from fleet.preflight import checks_for
from fleet.preflight.check import Absent
from tests.preflight.recordings import ADDRESSES, inventory, observations, results
from tui.i18n.sentences import Sentences, korean

GB = 10**9


@dataclass
class Case:
    check: str
    node: str
    status: str
    says: str
    patches: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.check}-{self.status}-{self.says[:30]}"


def door(outcome: str) -> dict[str, Any]:
    return {"port": 22, "outcome": outcome, "banner": "", "ms": None}


def broken(link: str, cause: str = "") -> dict[str, Any]:
    return {"state": "failed", "broken": link, "cause": cause, "what": "it said no", "remedy": "ask again"}


def ping(received: int, ms: list[float], method: str | None = "icmp") -> dict[str, Any]:
    return {"method": method, "sent": 5, "received": received, "ms": ms}


def resolved(*addresses: str, seconds: float = 0.01, error: str = "") -> dict[str, Any]:
    return {"addresses": list(addresses), "seconds": seconds, "error": error}


TAKEN = {"all": "in-use", "own": "in-use", "holder": {"pid": 18232, "name": "python.exe"}}


def gpu(**fields: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "name": "NVIDIA GeForce RTX 4090",
        "memory_total": 25 * GB,
        "driver": "551.86",
        **fields,
    }


CLOSED = {"outcome": "refused", "ms": None}
DROPPED = {"outcome": "dropped", "ms": None}
NAMED = {"gpu1": {"address": "gpu1.lab"}}
AUTO = {"gpu1": {"transport": "auto"}}
WINRM = {"gpu1": {"transport": "winrm"}}
AMD = {"index": 0, "name": "AMD Radeon RX 7900 XTX", "memory_total": 25 * GB, "driver": "24.10", "cuda": None}
ORPHAN = {"run": "run-1", "rank": 1, "pid": 4711, "start_time": "1", "name": "python.exe"}
LINUX = {"system": "Linux", "name": "Debian", "version": "12", "encoding": "UTF-8", "codepage": None}

IPV4_ONLY = {
    f"{node}/facts/adapters/0": {"name": "Ethernet", "routes_to_master": True, "addresses": [address]}
    for node, address in ADDRESSES.items()
}

CASES = [
    Case("ping", "gpu1", "ok", "0.4 ms, 5 of 5"),
    Case("ping", "master", "skip", "this machine"),
    Case("ping", "gpu1", "warn", "loses packets", {"gpu1/outside/ping": ping(3, [0.4, 0.5, 0.6])}),
    Case("ping", "gpu1", "skip", "a firewall may hide", {"gpu1/outside/ping": ping(0, [])}),
    Case("ping", "gpu1", "warn", "nor at any door",
         {"gpu1/outside/ping": ping(0, []), "gpu1/outside/ssh": door("dropped"), "gpu1/outside/winrm": []}),
    Case("ping", "gpu1", "ok", "TCP handshakes: ICMP is not permitted",
         {"gpu1/outside/ping": ping(5, [1.0] * 5, "tcp")}),
    Case("ping", "gpu1", "skip", "not permitted", {"gpu1/outside/ping": ping(0, [], None)}),
    Case("name", "gpu1", "skip", "no name"),
    Case("name", "gpu1", "ok", "gpu1.lab is 192.168.1.101", {}, NAMED),
    Case("name", "gpu1", "fail", "has no address",
         {"gpu1/outside/name": resolved(error="not known"), "gpu1/link": broken("reach")}, NAMED),
    Case("name", "gpu1", "fail", "the master itself", {"gpu1/outside/name": resolved("127.0.1.1")}, NAMED),
    Case("name", "gpu1", "warn", "after 2.5 s",
         {"gpu1/outside/name": resolved("192.168.1.101", seconds=2.5)}, NAMED),
    Case("name", "gpu1", "skip", "alias", {"gpu1/outside/name": resolved(error="not known")}, NAMED),
    Case("ssh", "gpu1", "ok", "SSH-2.0-OpenSSH_for_Windows"),
    Case("ssh", "gpu1", "fail", "refuses connections",
         {"gpu1/outside/ssh": door("refused"), "gpu1/link": broken("reach")}),
    Case("ssh", "gpu1", "fail", "does not answer",
         {"gpu1/outside/ssh": door("dropped"), "gpu1/link": broken("reach")}),
    Case("ssh", "gpu1", "fail", "something else",
         {"gpu1/outside/ssh": door("foreign"), "gpu1/link": broken("reach")}),
    Case("ssh", "gpu1", "skip", "another way", {"gpu1/outside/ssh": door("dropped")}),
    Case("ssh", "gpu1", "skip", "WinRM is open",
         {"gpu1/outside/ssh": door("refused"), "gpu1/link": broken("login")}, AUTO),
    Case("ssh", "gpu1", "skip", "transport winrm", {"gpu1/outside/ssh": None}, WINRM),
    Case("winrm", "gpu1", "ok", "Microsoft Corporation"),
    Case("winrm", "gpu1", "fail", "refuses connections",
         {"gpu1/outside/winrm": [{"port": 5985, "scheme": "http", "outcome": "refused"}],
          "gpu1/link": broken("reach")}, WINRM),
    Case("winrm", "gpu1", "ok", "wants a login even to say what it is (Basic, Negotiate)",
         {"gpu1/outside/winrm": [{"port": 5986, "scheme": "https", "outcome": "open", "product": "",
                                  "auth": ["Basic", "Negotiate"]}]}, WINRM),
    Case("winrm", "gpu1", "fail", "answered by something else",
         {"gpu1/outside/winrm": [{"port": 5986, "scheme": "https", "outcome": "foreign"}],
          "gpu1/link": broken("reach")}, WINRM),
    Case("winrm", "gpu1", "skip", "not needed",
         {"gpu1/outside/winrm": [{"port": 5985, "scheme": "http", "outcome": "dropped"}]}, AUTO),
    Case("winrm", "gpu1", "skip", "transport ssh", {"gpu1/outside/winrm": []}),
    Case("reach", "gpu1", "ok", "ssh to 192.168.1.101"),
    Case("reach", "gpu1", "fail", "it said no", {"gpu1/link": broken("reach")}),
    Case("hostkey", "gpu1", "ok", "recorded"),
    Case("hostkey", "gpu1", "fail", "it said no", {"gpu1/link": broken("login", "HostKeyChanged")}),
    Case("hostkey", "gpu1", "fail", "it said no", {"gpu1/link": broken("login", "HostKeyUnknown")}),
    Case("hostkey", "gpu1", "fail", "it said no",
         {"gpu1/link": broken("login", "CertificateRejected")}, WINRM),
    Case("hostkey", "gpu1", "skip", "not checked", {"gpu1/link": broken("reach")}),
    Case("login", "gpu1", "ok", "works"),
    Case("login", "gpu1", "fail", "it said no", {"gpu1/link": broken("login")}),
    Case("login", "gpu1", "skip", "since `reach` failed", {"gpu1/link": broken("reach")}),
    Case("python", "gpu1", "ok", "3.11.9"),
    Case("python", "gpu1", "fail", "it said no", {"gpu1/link": broken("python")}),
    Case("agent", "gpu1", "ok", "3 ms"),
    Case("agent", "gpu1", "fail", "it said no", {"gpu1/link": broken("agent")}),
    Case("agent", "gpu1", "fail", "ended with status 1", {"gpu1/facts": Absent("it ended with status 1")}),
    Case("29500", "master", "ok", "open from gpu[1-2]"),
    Case("29500", "master", "fail", "in use by python.exe (pid 18232)", {"master/ports/ports/29500": TAKEN}),
    Case("29500", "gpu1", "warn", "this run does not listen there", {"gpu1/ports/ports/29500": TAKEN}),
    Case("29500", "master", "fail", "reserved by Windows (29480-29579",
         {"master/ports/excluded": [[29480, 29579]],
          "master/ports/ports/29500": {"all": "forbidden", "own": "forbidden", "holder": None}}),
    Case("29500", "master", "fail", "gpu2 can't reach master on 29500: no answer",
         {"gpu2/mesh/reaches/master/29500": DROPPED}),
    Case("29500", "gpu1", "warn", "this run needs 29500 on rank 0's node only",
         {"gpu2/mesh/reaches/gpu1/29500": DROPPED}),
    Case("29501", "gpu1", "ok", "open from gpu2,master"),
    Case("29501", "gpu1", "warn", "refused", {"gpu2/mesh/reaches/gpu1/29501": CLOSED}),
    Case("29502", "master", "ok", "open"),
    Case("29502", "gpu2", "warn", "in use", {"gpu2/ports/ports/29502": TAKEN}),
    Case("29503", "master", "ok", "open"),
    Case("29503", "gpu2", "warn", "so the ways to it were not tried",
         {"gpu2/mesh/listening/29503": {"port": None, "error": "in-use"}}),
    Case("29504", "master", "ok", "open"),
    Case("29504", "gpu2", "warn", "refused", {"gpu1/mesh/reaches/gpu2/29504": CLOSED}),
    Case("ephemeral", "gpu1", "ok", "open from"),
    Case("ephemeral", "gpu1", "fail", "gpu2 can't reach gpu1 on an ephemeral port",
         {"gpu2/mesh/reaches/gpu1/ephemeral": DROPPED}),
    Case("ephemeral", "gpu2", "warn", "gpu2 has the higher address (192.168.1.102), and gloo connects from",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED, **IPV4_ONLY}),
    Case("ephemeral", "gpu1", "fail", "gpu2 can't reach gpu1 on an ephemeral port",
         {"gpu2/mesh/reaches/gpu1/ephemeral": DROPPED, **IPV4_ONLY}),
    Case("ephemeral", "gpu2", "fail", "can't reach gpu2",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED}),
    Case("ephemeral", "gpu2", "fail", "can't reach gpu2",
         {"gpu1/mesh/reaches/gpu2/ephemeral": DROPPED, **IPV4_ONLY, "*/facts/os/system": "Linux"}),
    Case("ephemeral", "gpu2", "fail", "IPv4 and IPv6", {"gpu2/link/source": "fd00::2"}),
    Case("os", "gpu1", "ok", "Windows 11 Pro 23H2"),
    Case("os", "gpu1", "fail", "too old", {"gpu1/facts/os/build": "10.0.14393.1"}),
    Case("os", "gpu1", "ok", "Debian 12", {"gpu1/facts/os": LINUX}),
    Case("os", "gpu1", "fail", "32-bit", {"gpu1/facts/python/bits": 32}),
    Case("gpu", "gpu1", "ok", "2 x NVIDIA GeForce RTX 4090, 25.8 GB"),
    Case("gpu", "gpu1", "ok", "as the inventory says", {"gpu1/facts/gpus": []}, {"gpu1": {"gpus": 0}}),
    Case("gpu", "gpu1", "warn", "no GPU",
         {"gpu1/facts/gpus": [], "gpu1/facts/gpu_error": "the driver is not loaded"}),
    Case("gpu", "gpu1", "fail", "the driver is not loaded",
         {"gpu1/facts/gpus": [], "gpu1/facts/gpu_error": "the driver is not loaded"}, {"gpu1": {"gpus": 2}}),
    Case("gpu", "gpu1", "fail", "the inventory says 4", {}, {"gpu1": {"gpus": 4}}),
    Case("gpu", "gpu1", "fail", "has failed", {"gpu1/facts/gpus/1/error": "the GPU is lost"}),
    Case("gpu", "gpu1", "warn", "no ROCm build", {"gpu1/facts/gpus": [AMD]}),
    Case("gpu", "gpu1", "warn", "by ROCm", {"gpu1/facts/gpus": [AMD], "gpu1/facts/os": LINUX}),
    Case("gpu", "gpu1", "warn", "less than 8 GB", {"gpu1/facts/gpus/0/memory_total": 4 * GB}),
    Case("gpu-same", "gpu1", "ok", "all NVIDIA GeForce RTX 4090"),
    Case("gpu-same", "gpu1", "warn", "beside NVIDIA A100", {"gpu2/facts/gpus": [gpu(name="NVIDIA A100")]}),
    Case("driver", "gpu1", "ok", "driver 551.86, runs CUDA up to 12.4"),
    Case("driver", "gpu1", "warn", "unknown version", {"gpu1/facts/gpus": [gpu(driver=None)]}),
    Case("driver", "gpu1", "skip", "no NVIDIA", {"gpu1/facts/gpus": [AMD]}),
    Case("gpu-mode", "gpu1", "ok", "default"),
    Case("gpu-mode", "gpu1", "fail", "may not compute", {"gpu1/facts/gpus/0/compute_mode": "prohibited"}),
    Case("gpu-mode", "gpu1", "ok", "exclusive", {"gpu1/facts/gpus/0/compute_mode": "exclusive"}),
    Case("gpu-mode", "gpu1", "skip", "does not tell",
         {"gpu1/facts/gpus/0/compute_mode": None, "gpu1/facts/gpus/1/compute_mode": None}),
    Case("gpu-mode", "gpu1", "warn", "MIG", {"gpu1/facts/gpus/0/mig": [{"index": 0}]}),
    Case("gpu-free", "gpu1", "ok", "free"),
    Case("gpu-free", "gpu1", "warn", "9.0 GB in use", {"gpu1/facts/gpus/0/memory_used": 9 * GB}),
    Case("gpu-free", "gpu1", "warn", "9.0 GB in use by blender.exe",
         {"gpu1/facts/gpus/0/memory_used": 9 * GB,
          "gpu1/facts/gpus/0/processes": [{"pid": 7, "name": "C:\\Program Files\\Blender\\blender.exe"}]}),
    Case("gpu-free", "gpu1", "ok", "free",
         {"gpu1/facts/gpus/0/processes": [{"pid": 4, "name": "C:\\Windows\\explorer.exe", "memory": None}]}),
    Case("gpu-free", "gpu1", "warn", "in use by python3",
         {"gpu1/facts/os": LINUX, "gpu1/facts/gpus/0/memory_used": GB,
          "gpu1/facts/gpus/0/processes": [{"pid": 7, "name": "/usr/bin/python3"}]}),
    Case("gpu-free", "gpu1", "skip", "no GPU", {"gpu1/facts/gpus": []}),
    Case("ram", "gpu1", "ok", "68.0 GB"),
    Case("ram", "gpu1", "warn", "little", {"gpu1/facts/ram/total": 4 * GB, "gpu1/facts/ram/free": 3 * GB}),
    Case("ram", "gpu1", "warn", "nearly all", {"gpu1/facts/ram/free": 2 * GB}),
    Case("paging", "gpu1", "ok", "can be committed"),
    Case("paging", "gpu1", "warn", "WinError 1455", {"gpu1/facts/paging/commit_free": 3 * GB}),
    Case("paging", "gpu1", "skip", "only Windows", {"gpu1/facts/os": LINUX}),
    Case("disk", "gpu1", "ok", "812 GB free"),
    Case("disk", "gpu1", "fail", "are to be deployed", {"gpu1/facts/disk/free": 500_000}),
    Case("disk", "gpu1", "fail", "can't be written to by kim", {"gpu1/conditions/writable": False}),
    Case("disk", "gpu1", "warn", "environment with torch",
         {"gpu1/facts/disk/free": 5 * GB, "gpu1/conditions/environment": None}),
    Case("disk", "gpu1", "warn", "checkpoints", {"gpu1/facts/disk/free": GB // 10}),
    Case("clock", "gpu1", "ok", "within"),
    Case("clock", "gpu1", "ok", "1.2 s ahead", {"gpu1/link/clock": {"offset": 1.2, "doubt": 0.01}}),
    Case("clock", "gpu1", "warn", "97.0 s behind", {"gpu1/link/clock": {"offset": -97.0, "doubt": 0.01}}),
    Case("clock", "gpu1", "ok", "within 8.00 s", {"gpu1/link/clock": {"offset": 7.0, "doubt": 8.0}}),
    Case("adapter", "master", "ok", "Ethernet, 192.168.1.100, 2.5 Gbit/s"),
    Case("adapter", "gpu2", "warn", "gloo takes the first address that Windows lists, fe80::9"),
    Case("adapter", "gpu2", "ok", "Ethernet, 192.168.1.102, 2.5 Gbit/s", {"gpu2/facts/os": LINUX}),
    Case("adapter", "gpu1", "warn", "not ASCII"),
    Case("adapter", "master", "warn", "wireless", {"master/facts/adapters/0/wireless": True}),
    Case("adapter", "master", "warn", "slow", {"master/facts/adapters/0/speed_mbps": 100}),
    Case("adapter", "gpu2", "warn", "IPv6", {"gpu2/facts/adapters/0/addresses": ["fd00::2"]}),
    Case("adapter", "gpu2", "warn", "torch guesses", {"gpu2/facts/adapters/0/routes_to_master": None}),
    Case("adapter", "gpu2", "fail", "there is no adapter 'eth9'", {}, {"gpu2": {"interface": "eth9"}}),
    Case("adapter", "gpu2", "fail", "loopback", {"gpu2/facts/adapters/0/loopback": True}),
    Case("power", "gpu1", "ok", "균형 조정"),
    Case("power", "gpu1", "warn", "slows", {"gpu1/facts/power/plan": "Power saver"}),
    Case("power", "gpu1", "skip", "does not tell", {"gpu1/facts/power/plan": None}),
    Case("power", "gpu1", "warn", "slows", {"gpu1/facts/power/plan": "절전"}),
    Case("sleep", "gpu2", "ok", "stays awake"),
    Case("sleep", "gpu1", "warn", "sleeps after 30 min, hibernates after 180 min"),
    Case("battery", "gpu1", "ok", "no battery"),
    Case("battery", "gpu1", "ok", "on AC, 98 %",
         {"gpu1/facts/power/battery": {"percent": 98, "discharging": False}, "gpu1/facts/power/on_ac": True}),
    Case("battery", "gpu1", "warn", "on battery, level unknown",
         {"gpu1/facts/power/battery": {"percent": None}, "gpu1/facts/power/on_ac": False}),
    Case("battery", "gpu1", "warn", "on battery, 61 %",
         {"gpu1/facts/power/battery": {"percent": 61, "discharging": True}}),
    Case("long-paths", "gpu2", "ok", "allowed"),
    Case("long-paths", "gpu1", "warn", "WinError 206"),
    Case("long-paths", "gpu1", "skip", "only on Windows", {"gpu1/facts/long_paths": None}),
    Case("execution-policy", "gpu2", "ok", "RemoteSigned"),
    Case("execution-policy", "gpu1", "warn", "Restricted"),
    Case("execution-policy", "gpu1", "warn", "AllSigned", {"gpu1/facts/execution_policy": "AllSigned"}),
    Case("execution-policy", "gpu1", "skip", "only on Windows", {"gpu1/facts/execution_policy": None}),
    Case("defender", "gpu2", "ok", "excluded"),
    Case("defender", "gpu1", "skip", "administrator"),
    Case("defender", "gpu1", "ok", "does not watch",
         {"gpu1/conditions/defender": {"watching": False, "excluded": None}}),
    Case("defender", "gpu1", "skip", "only on Windows", {"gpu1/conditions/defender": None}),
    Case("defender", "gpu1", "warn", "reads every file",
         {"gpu1/conditions/defender": {"watching": True, "excluded": ["C:\\Users\\kim\\dtui\\floor"]}}),
    Case("utf8", "gpu1", "ok", "code page 949"),
    Case("utf8", "gpu1", "warn", "PYTHONUTF8=0", {}, {"gpu1": {"env": (("PYTHONUTF8", "0"),)}}),
    Case("leftovers", "gpu1", "ok", "nothing"),
    Case("leftovers", "gpu1", "warn", "pid 4711", {"gpu1/conditions/orphans": [ORPHAN]}),
    Case("leftovers", "gpu1", "warn", "run-2 is under way", {"gpu1/conditions/under_way": ["run-2"]}),
    Case("plan", "gpu1", "ok", "ranks 2-3 of 6, gloo, meeting at 192.168.1.100:29500"),
    Case("plan", "gpu1", "fail", "no GPU to train on", {"gpu1/facts/gpus": []}),
    Case("environment", "gpu1", "ok", "Python 3.11.9, uv"),
    Case("environment", "gpu1", "skip", "nothing is deployed", {"gpu1/conditions/environment": None}),
    Case("environment", "gpu1", "warn", "no uv.lock",
         {"gpu1/conditions/environment/warnings": ["no uv.lock"]}),
    Case("python-same", "gpu1", "ok", "Python 3.11"),
    Case("python-same", "gpu1", "warn", "Python 3.12", {"gpu1/conditions/environment/python": "3.12.1"}),
    Case("torch", "gpu1", "ok", "torch 2.13.0"),
    Case("torch", "gpu1", "fail", "torch 2.12.0, and gpu2,master 2.13.0",
         {"gpu1/conditions/environment/packages/torch": "2.12.0"}),
    Case("torch", "gpu2", "ok", "2.13.0", {"gpu1/conditions/environment/packages/torch": "2.12.0"}),
    Case("torch", "gpu1", "fail", "is missing", {"gpu1/conditions/environment/packages": {}}),
    Case("accelerate", "gpu1", "ok", "1.15.0"),
    Case("accelerate", "gpu1", "warn", "1.10.0",
         {"gpu1/conditions/environment/packages/accelerate": "1.10.0"}),
    Case("backend", "gpu1", "ok", "gloo, in torch 2.13.0+cu126, started for a try"),
    Case("backend", "gpu1", "fail", "2.8 to 2.10",
         {"gpu1/conditions/environment/torch/version": "2.9.1+cpu",
          "gpu1/conditions/environment/torch/gloo": False}),
    Case("backend", "gpu1", "fail", "built without libuv", {}, {"run": {"env": (("USE_LIBUV", "1"),)}}),
    Case("backend", "gpu1", "ok", "gloo", {"gpu1/facts/os": LINUX}, {"gpu1": {"env": (("USE_LIBUV", "1"),)}}),
    Case("backend", "gpu1", "fail", "built without nccl",
         {"*/facts/os": LINUX, "gpu1/conditions/environment/torch/nccl": False}),
    Case("backend", "gpu1", "fail", "built without gloo",
         {"gpu1/conditions/environment/torch/version": "2.12.0",
          "gpu1/conditions/environment/torch/gloo": False}),
    Case("backend", "gpu1", "skip", "no torch", {"gpu1/conditions/environment/torch": None}),
    Case("backend", "gpu1", "fail", "can't start",
         {"gpu1/trial/backend": "RuntimeError: unsupported gloo device"}),
    Case("backend", "gpu1", "fail", "does not load",
         {"gpu1/conditions/environment/torch": {"error": "OSError: c10.dll"}}),
    Case("cuda", "gpu1", "ok", "CUDA 12.6, driver 551.86"),
    Case("cuda", "gpu1", "fail", "a build for the CPU", {"gpu1/conditions/environment/torch/cuda": None}),
    Case("cuda", "gpu1", "fail", "580.88 or newer", {"gpu1/conditions/environment/torch/cuda": "13.0"}),
    Case("cuda", "gpu1", "skip", "no torch", {"gpu1/conditions/environment/torch": None}),
    Case("cuda", "gpu1", "skip", "no NVIDIA GPU", {"gpu1/facts/gpus": [AMD]}),
    Case("cuda", "gpu1", "fail", "525.60 or newer",
         {"gpu1/facts/os": LINUX, "gpu1/facts/gpus/0/driver": "515.65.01"}),
    Case("cuda", "gpu1", "fail", "sees no GPU", {"gpu1/conditions/environment/torch/sees_gpu": False}),
    Case("gpu-computes", "gpu1", "ok", "2 GPUs computed a right result"),
    Case("gpu-computes", "gpu1", "fail", "GPU 1: CUDA error", {"gpu1/trial/devices/1/error": "CUDA error"}),
    Case("gpu-computes", "gpu1", "fail", "sees none of the 2", {"gpu1/trial/devices": []}),
    Case("gpu-computes", "gpu1", "fail", "a build for the CPU",
         {"gpu1/trial/devices": [], "gpu1/trial/cuda": None}),
    Case("gpu-computes", "gpu1", "fail", "could not try", {"gpu1/trial": {"error": "no answer within 90 s"}}),
    Case("gpu-computes", "gpu1", "skip", "trains on the CPU",
         {"gpu1/trial": {"skipped": "trains on the CPU", "backend": None}}),
    Case("code", "gpu1", "ok", "2 files, the same as on master"),
    Case("code", "gpu1", "fail", "1 files differ: trainer/train.py", {"gpu1/code/trainer~train.py": "other"}),
    Case("code", "gpu1", "skip", "nothing is deployed",
         {"gpu1/conditions/deployed": 0, "gpu1/conditions/environment": None}),
    Case("code", "gpu1", "fail", "are missing", {"gpu1/code/trainer~train.py": "missing"}),
    Case("data", "gpu1", "ok", "60000 files, 812 MB; names, sizes and contents of 64.0 MB"),
    Case("data", "gpu1", "fail", "data/train/label_floorplan has 29998 files instead of 30000",
         {"gpu1/data/names": "cc", "gpu1/data/folders/train~label_floorplan": [29998, 765, "m"],
          "gpu1/data/files": 59998}),
    Case("data", "gpu1", "fail", "other contents, for example data/train/label_floorplan/1.png",
         {"gpu1/data/contents": "zz", "gpu1/data/sampled": {"train/label_floorplan/1.png": "99"}}),
    Case("data", "gpu1", "ok", "all contents", {"*/data/read": 10**12}),
    Case("data", "gpu1", "skip", "nothing is deployed",
         {"gpu1/data/exists": False, "gpu1/conditions/deployed": 0, "gpu1/conditions/environment": None}),
    Case("data", "gpu1", "fail", "data/old is there only",
         {"gpu1/data/names": "cc", "gpu1/data/folders/old": [1, 1, "t"]}),
    Case("data", "gpu1", "fail", "has no data", {"gpu1/data/exists": False, "gpu1/data/files": 0}),
    Case("data", "gpu1", "skip", "no node has", {"*/data/exists": False}),
    Case("config", "master", "ok", "as the trainer reads it"),
    Case("config", "gpu1", "skip", "told at master"),
    Case("config", "master", "skip", "gets no --config", {"master/config/path": None}),
    Case("config", "master", "ok", "is readable YAML", {"master/config/by_program": False}),
    Case("config", "master", "fail", "there is no train_config.yaml",
         {"master/config/exists": False, "master/config/faults": ["there is no train_config.yaml"]}),
    Case("config", "master", "fail", "training.batch_size: 0 is below 1",
         {"master/config/faults": ["configs/train_config.yaml:3: training.batch_size: 0 is below 1"]}),
    Case("batch", "master", "ok", "effective batch 96 = 8 x 6 ranks x 2 accumulation steps; 30000 training"),
    Case("batch", "gpu1", "skip", "told at master"),
    Case("batch", "master", "skip", "no training.batch_size", {"master/config/values": {}}),
    Case("batch", "master", "skip", "can't be laid out", {"gpu1/facts/gpus": []}),
    Case("batch", "master", "fail", "only 40 training pairs",
         {"master/data/folders": {"train/input_text": [40, 1, "t"]}}),
    Case("batch", "master", "fail", "can't be divided by 6 ranks",
         {"master/config/values": {"training": {"batch_size": 8, "total_batch_size": 64}}}),
    Case("latency", "gpu1", "ok", "0.40 ms"),
    Case("latency", "gpu1", "warn", "9.00 ms to gpu2", {"gpu1/links/gpu2/rtt": 9.0}),
    Case("bandwidth", "gpu1", "ok", "2.3 Gbit/s"),
    Case("bandwidth", "gpu1", "warn", "94 Mbit/s to gpu2, the slowest", {"gpu1/links/gpu2/rate": 11.75e6}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_verdict(case: Case) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    assert (found.status, case.says in found.seen) == (case.status, True), found
    assert found.why, "each result says why it matters"
    if found.status == "fail":
        assert found.remedy, "each failure says what to do"


#: What a node or its program says of itself, and figures: the same in every language.
SAYS_ITSELF = re.compile(
    r"Debian 12|RemoteSigned|default(, exclusive)?|(Python|torch|accelerate) [\d.]+"
    r"|it said no|ask again|it ended with status 1|Ethernet, [\d.]+, [\d.]+ Gbit/s"
)


@pytest.fixture(scope="module")
def catalogue() -> Sentences:
    return korean()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_verdict_can_be_said_in_korean(case: Case, catalogue: Sentences) -> None:
    found = results(observations(case.patches), inventory(**case.changes))[case.node, case.check]
    said = [text for text in (found.seen, found.why, found.remedy) if text]
    assert [text for text in said if not catalogue.knows(text) and not SAYS_ITSELF.fullmatch(text)] == []


def test_every_check_has_its_good_and_a_bad_outcome() -> None:
    tested: dict[str, set[str]] = {}
    for case in CASES:
        tested.setdefault(case.check, set()).add(case.status)
    names = {check.name for check in checks_for()}
    assert set(tested) == names
    lacking = {name for name, found in tested.items() if "ok" not in found or not found & {"warn", "fail"}}
    assert not lacking


def test_the_machine_as_it_comes_is_usable_with_warnings_only() -> None:
    found = results(observations({}), inventory())
    assert {one.status for one in found.values()} <= {"ok", "warn", "skip"}
    warned = {check for (node, check), one in found.items() if node == "gpu1" and one.status == "warn"}
    assert warned == {"adapter", "sleep", "long-paths", "execution-policy"}
    told = [one.check for (node, _), one in found.items() if node == "gpu2" and one.status == "warn"]
    assert told == ["adapter"], "IPv6 is nothing that worker_setup.ps1 switches off"


def test_what_could_not_be_observed_is_said_and_never_green() -> None:
    seen = observations({})
    seen["gpu1"] = {name: Absent("the node did not answer within 30 s") for name in seen["gpu1"]}
    found = results(seen, inventory())
    for (node, _), one in found.items():
        if node == "gpu1":
            assert (one.status, "did not answer" in one.seen) == ("skip", True)


def test_another_rendezvous_gets_a_column_of_its_own() -> None:
    seen = observations({"*/ports/ports/31000": {"all": None, "own": None, "holder": None}})
    for node in seen.values():
        for ports in node["mesh"]["reaches"].values():
            ports["31000"] = {"outcome": "open", "ms": 0.4}
    found = results(seen, inventory(run={"port": 31000}))
    assert found["master", "31000"].status == "ok"
