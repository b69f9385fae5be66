"""Telemetry as a stream over a real agent: small, in step, and alive when its sampler is not."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

import psutil
import pytest

from agent.deltas import Decoder
from agent.wire.operations import OPERATIONS
from fleet.link.client import AgentClient
from tests.telemetry.conftest import FakeNvidiaSmi, samplers

HOST_KEYS = {"time", "cpu", "ram", "paging", "disk", "network"}
GPU_KEYS = {"source", "driver", "cuda", "gpu_age", "stale", "error", "gpus"}


async def take(agent: AgentClient, **arguments: Any) -> list[dict[str, Any]]:
    decoder, samples = Decoder(), []
    async with agent.request(OPERATIONS["telemetry"], arguments) as request:
        await request.end()
        async for item in request:
            samples.append(decoder.decode(item.body, item.payload))
        assert request.result == {"samples": len(samples)}
    return samples


async def test_samples_come_at_the_intervals_of_the_clock(agent: AgentClient) -> None:
    samples = await take(agent, interval=0.2, count=5)
    assert all(set(sample) == HOST_KEYS | GPU_KEYS for sample in samples)
    times = [sample["time"] for sample in samples]
    ticks = [round(moment / 0.2) for moment in times[1:]]
    assert len(set(ticks)) == 4, "one in each interval"
    late = [abs(moment - tick * 0.2) for moment, tick in zip(times[1:], ticks, strict=True)]
    assert median(late) < 0.05, "at the clock's own ticks, as all nodes do"
    assert samples[0]["cpu"]["util"] is None
    assert 0 <= samples[-1]["cpu"]["util"] <= 100


async def test_traffic_of_the_adapter_towards_the_master_is_told(agent: AgentClient) -> None:
    decoder = Decoder()
    seen = 0
    async with agent.request(
        OPERATIONS["telemetry"], {"interval": 0.1, "master_address": "127.0.0.1"}
    ) as request:
        await request.end()
        async for item in request:
            sample = decoder.decode(item.body, item.payload)
            assert sample["network"]["adapter"] == "lo"
            seen = max(seen, sample["network"]["rx"] or 0)
            if seen > 2 << 20:
                break
            await loopback_traffic(1 << 20)


async def loopback_traffic(size: int) -> None:
    async def give(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(size))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(give, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert len(await reader.read(-1)) == size
        writer.close()
        await writer.wait_closed()


def error_of(sample: Any) -> str:
    """Return the id of the sample's error, empty without one."""
    return str(sample["error"]["id"]) if sample["error"] else ""


@pytest.fixture
def four_gpus(nvidia_smi: FakeNvidiaSmi) -> None:
    nvidia_smi(4)


@pytest.mark.parametrize(("wanted", "told"), [([1, 3], [1, 3]), (2, [0, 1]), (None, [0, 1, 2, 3]), ([9], [])])
async def test_a_node_shows_only_its_own_gpus(
    four_gpus: None, agent: AgentClient, wanted: Any, told: list[int]
) -> None:
    (sample,) = await take(agent, interval=0.1, count=1, gpus=wanted)
    assert [gpu["index"] for gpu in sample["gpus"]] == told
    assert [gpu["util"] for gpu in sample["gpus"]] == [10 * index for index in told]
    assert (sample["source"], sample["stale"], error_of(sample)) == ("nvidia-smi", False, "gpu.no-driver")


async def test_leaving_ends_the_sampler(agent: AgentClient) -> None:
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        async for _ in request:
            (sampler,) = samplers(agent)
            break
    await gone(sampler)


async def test_an_agent_that_is_killed_takes_its_sampler_along(agent: AgentClient) -> None:
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        async for _ in request:
            (sampler,) = samplers(agent)
            break
        psutil.Process(agent.hello.pid).kill()
        await gone(sampler)


async def gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + 120
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_hung_sampler_makes_gpus_stale_and_nothing_else(four_gpus: None, agent: AgentClient) -> None:
    decoder = Decoder()
    states = []
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        stopped: psutil.Process | None = None
        async for item in request:
            sample = decoder.decode(item.body, item.payload)
            assert sample["ram"]["used"] > 0, "the machine itself is still told"
            states.append(sample["stale"])
            if stopped is None:
                (stopped,) = samplers(agent)
                stopped.suspend()
            elif sample["stale"] and not states[-2]:
                assert error_of(sample) == "gpu.driver-silent"
                assert sample["gpu_age"] >= 3
                assert [gpu["util"] for gpu in sample["gpus"]] == [0, 10, 20, 30], "the last that was known"
                stopped.resume()
            elif states[-2:] == [True, False]:
                assert sample["gpu_age"] < 1
                break


async def test_a_killed_sampler_is_started_again(four_gpus: None, agent: AgentClient) -> None:
    decoder = Decoder()
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        killed: psutil.Process | None = None
        troubled = False
        async for item in request:
            sample = decoder.decode(item.body, item.payload)
            if killed is None:
                (killed,) = samplers(agent)
                killed.kill()
            elif error_of(sample) == "gpu.sampler-ended":
                troubled = True
            elif troubled and sample["gpu_age"] < 0.5:
                break
        (fresh,) = samplers(agent)
        assert fresh.pid != killed.pid


async def test_ten_samples_a_second_cost_less_than_a_twentieth_of_a_core(agent: AgentClient) -> None:
    """So one a second costs less than half a percent: the bound of the sampler and the agent together."""
    used, wire = [], []
    async with agent.request(OPERATIONS["telemetry"], {"interval": 0.1}) as request:
        await request.end()
        async for item in request:
            if len(wire) > 30:
                break
            processes = [psutil.Process(agent.hello.pid), *samplers(agent)]
            used.append((time.monotonic(), sum(sum(process.cpu_times()[:2]) for process in processes)))
            wire.append(len(item.payload))
    (began, first), (ended, last) = used[1], used[-1]
    assert (last - first) / (ended - began) < 0.05
    assert sum(wire[1:]) / len(wire[1:]) < 40, "a node without GPU has next to nothing to tell"
