"""Parsers of foreign output take anything, and give back exactly what well-formed output says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.facts import linux, linux_adapters, linux_counters
from agent.sampler import amd, nvidia_smi
from agent.sampler.gpu import blank, typed
from agent.wire.decode import decode
from agent.wire.gpu import Gpu

NOT_THERE = st.sampled_from(
    ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "[GPU is lost]", "ERR!", ""]
)
PRINTED = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters=",["), min_size=1, max_size=20
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["gpu", "gpu_data", "card0", "usage", "gfx_activity", "value", "unit", "GPU use (%)"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.text())
def test_nvidia_smi_takes_any_text(text: str) -> None:
    gpus, _ = nvidia_smi.parse_gpus(text)
    assert all(set(gpu) == set(blank(0)) for gpu in gpus)
    assert all(decode(Gpu, typed(gpu)) for gpu in gpus)
    for processes in nvidia_smi.parse_processes(text).values():
        assert all(process["pid"] >= 0 for process in processes)
    assert nvidia_smi.explain(text)


@given(
    st.lists(
        st.lists(
            NOT_THERE | st.integers(-5, 10**9).map(str) | PRINTED,
            min_size=len(nvidia_smi.COLUMNS) - 2,
            max_size=len(nvidia_smi.COLUMNS) + 2,
        ),
        max_size=4,
    )
)
def test_nvidia_smi_takes_lines_that_almost_fit(lines: list[list[str]]) -> None:
    gpus, _ = nvidia_smi.parse_gpus("\n".join(", ".join(cells) for cells in lines))
    for gpu in gpus:
        assert isinstance(gpu["index"], int)
        for field in ("util", "memory_used", "power", "temperature", "clock", "fan"):
            assert gpu[field] is None or isinstance(gpu[field], int | float)


@given(
    st.lists(st.tuples(*[st.none() | st.integers(0, 10**6)] * (len(nvidia_smi.COLUMNS) - 5)), max_size=9),
    PRINTED,
)
def test_nvidia_smi_gives_back_what_was_printed(rows: list[tuple[int | None, ...]], name: str) -> None:
    name = " ".join(name.split()) or "GPU"
    lines = [
        ", ".join(
            [str(index), f"GPU-{index}", name, "551.86", "Default"]
            + ["[N/A]" if value is None else str(value) for value in row]
        )
        for index, row in enumerate(rows)
    ]
    gpus, driver = nvidia_smi.parse_gpus("\r\n".join(lines))
    assert driver == ("551.86" if rows else None)
    assert [gpu["index"] for gpu in gpus] == list(range(len(rows)))
    for gpu, row in zip(gpus, rows, strict=True):
        if name not in ("N/A", "ERR!"):
            assert gpu["name"] == name
        for (_, field, scale), value in zip(nvidia_smi.COLUMNS[5:], row, strict=True):
            assert gpu[field] == (None if value is None else value * scale)


@given(JSON, JSON)
def test_amd_programs_may_answer_any_json(metrics: Any, static: Any) -> None:
    for gpu in amd.parse_amd_smi(metrics, static if isinstance(static, dict) else {}):
        assert set(gpu) == set(blank(0))
        assert decode(Gpu, typed(gpu))
    for gpu in amd.parse_rocm_smi(metrics)[0]:
        assert set(gpu) == set(blank(0))
        assert decode(Gpu, typed(gpu))


@given(st.text())
def test_proc_files_may_hold_any_text(text: str) -> None:
    linux.parse_meminfo(text)
    linux.parse_cpuinfo(text)
    linux.parse_os_release(text)
    linux_counters.parse_stat(text)


@given(st.binary(max_size=200))
def test_netlink_answers_may_be_cut_anywhere(data: bytes) -> None:
    assert all("/" in address for _, address in linux_adapters.parse_addresses(data))


@given(st.floats())
def test_an_odd_number_of_a_driver_costs_only_its_own_value(number: float) -> None:
    gpu = typed({**blank(0), "util": number, "memory_used": number, "memory_total": 5})
    assert decode(Gpu, gpu)["memory_total"] == 5
