"""Each file of ``recorded/`` is what a machine said (command or file, output) and the fact in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.facts import linux, linux_adapters, linux_counters
from agent.sampler import amd, nvidia_smi, nvml
from agent.sampler.gpu import Raw, SourceError, blank, typed
from agent.wire.decode import decode
from agent.wire.gpu import Gpu
from tests.facts.recorded_nvml import RecordedNvml
from tests.support.nvidia_smi import RECORDED

FILES = sorted((Path(__file__).parent / "recorded").glob("*.json"))


def records(*sources: str) -> list[Any]:
    loaded = [(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in FILES]
    return [pytest.param(record, id=name) for name, record in loaded if record["source"] in sources]


def assert_gpus(seen: list[Raw], expected: list[dict[str, Any]]) -> None:
    assert len(seen) == len(expected)
    for gpu, fact in zip(seen, expected, strict=True):
        assert set(gpu) == set(blank(0)), "every source tells the same fields"
        sent = decode(Gpu, typed(gpu))
        assert {key: sent[key] for key in fact} == fact


@pytest.mark.parametrize("record", records("nvidia-smi"))
def test_nvidia_smi_csv(record: dict[str, Any]) -> None:
    gpus, driver = nvidia_smi.parse_gpus(record["output"], RECORDED)
    assert driver == record["fact"]["driver"]
    assert_gpus(gpus, record["fact"]["gpus"])


@pytest.mark.parametrize("record", records("nvidia-smi processes"))
def test_nvidia_smi_processes(record: dict[str, Any]) -> None:
    assert nvidia_smi.parse_processes(record["output"]) == record["fact"]


@pytest.mark.parametrize("record", records("nvidia-smi failed"))
def test_a_failing_nvidia_smi_becomes_a_sentence(record: dict[str, Any]) -> None:
    output = record["output"]
    if record.get("encoding") == "hex":
        output = bytes.fromhex(output).decode("utf-8", "replace")
    source = nvidia_smi.NvidiaSmiSource("nvidia-smi", run=lambda _: (9, output))
    with pytest.raises(SourceError) as caught:
        source.read()
    assert str(caught.value).startswith(record["fact"])


@pytest.mark.parametrize("record", records("nvml"))
def test_nvml(record: dict[str, Any]) -> None:
    source = nvml.NvmlSource(RecordedNvml(record["output"]))
    gpus = source.read()
    assert (source.driver, source.cuda) == (record["fact"]["driver"], record["fact"]["cuda"])
    assert_gpus(gpus, record["fact"]["gpus"])


@pytest.mark.parametrize("record", records("nvml failed"))
def test_nvml_that_does_not_start_becomes_a_sentence(record: dict[str, Any]) -> None:
    with pytest.raises(SourceError) as caught:
        nvml.NvmlSource(RecordedNvml(record["output"]))
    assert str(caught.value) == record["fact"]


@pytest.mark.parametrize("record", records("rocm-smi"))
def test_rocm_smi(record: dict[str, Any]) -> None:
    answer = "WARNING: a driver's remark before the document\n" + json.dumps(record["output"])
    source = amd.AmdSource("rocm-smi", "rocm-smi", run=lambda _: (0, answer))
    assert_gpus(source.read(), record["fact"]["gpus"])
    assert source.driver == record["fact"]["driver"]


@pytest.mark.parametrize("record", records("amd-smi"))
def test_amd_smi(record: dict[str, Any]) -> None:
    answers = {**record["output"], "process": []}
    source = amd.AmdSource("amd-smi", "amd-smi", run=lambda argv: (0, json.dumps(answers[argv[1]])))
    assert_gpus(source.read(), record["fact"]["gpus"])
    assert source.driver == "6.8.5"


@pytest.mark.parametrize("record", records("/proc/meminfo"))
def test_meminfo(record: dict[str, Any]) -> None:
    ram, paging = linux.parse_meminfo(record["output"])
    assert (ram["limit"], paging["commit_limit"], paging["commit_free"]) == (None, None, None)
    told = [{key: part[key] for key in ("total", "free")} for part in (ram, paging)]
    assert told == record["fact"]


@pytest.mark.parametrize("record", records("/proc/cpuinfo"))
def test_cpuinfo(record: dict[str, Any]) -> None:
    assert linux.parse_cpuinfo(record["output"])._asdict() == record["fact"]


@pytest.mark.parametrize("record", records("/etc/os-release"))
def test_os_release(record: dict[str, Any]) -> None:
    name, version = linux.parse_os_release(record["output"])
    assert {"name": name, "version": version} == record["fact"]


@pytest.mark.parametrize("record", records("/proc/stat"))
def test_stat(record: dict[str, Any]) -> None:
    assert list(linux_counters.parse_stat(record["output"])) == record["fact"]


@pytest.mark.parametrize("record", records("/proc/diskstats"))
def test_diskstats(record: dict[str, Any]) -> None:
    assert list(linux_counters.parse_diskstats(record["output"], record["disks"])) == record["fact"]


@pytest.mark.parametrize("record", records("RTM_GETADDR"))
def test_netlink(record: dict[str, Any]) -> None:
    found = linux_adapters.parse_addresses(bytes.fromhex(record["output"]))
    assert [list(address) for address in found] == record["fact"]


def test_every_recording_is_used() -> None:
    used = "nvml|nvml failed|nvidia-smi|nvidia-smi processes|nvidia-smi failed|rocm-smi|amd-smi|RTM_GETADDR"
    used += "|/proc/meminfo|/proc/cpuinfo|/proc/stat|/proc/diskstats|/etc/os-release"
    assert {json.loads(file.read_text(encoding="utf-8"))["source"] for file in FILES} == set(used.split("|"))
