"""Any bytes in an inventory or configuration give a result or a fault, never another exception."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.targets.inventory import SEEDS, TARGETS

#: Pieces that mean something to one of the readers; text of them gets further than noise.
PIECES = st.sampled_from(
    [
        *(
            "nodes:",
            "groups:",
            "defaults:",
            "run:",
            "master:",
            "\n",
            "\n  ",
            "\n  - ",
            "name: ",
            "address: ",
            "env: ",
        ),
        *(
            "gpus: ",
            "port: ",
            "args: ",
            "secrets: ",
            "project: ",
            "winrm: ",
            "tags: ",
            "transport: ",
            "identity: ",
        ),
        *(
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            " ",
            "'",
            '"',
            "#",
            "&a ",
            "*a",
            "<<: ",
            "!!int ",
            "!!timestamp ",
            "!x ",
            "? ",
        ),
        *(
            "|",
            ">",
            "---",
            "...",
            "%YAML 1.1\n",
            "gpu[1-8]",
            "10.0.0.[1-8]",
            "ssh",
            "all",
            "~",
            "~nobody/x",
            "null",
        ),
        *(
            "9" * 20,
            "1e999",
            ".inf",
            "0x",
            "1:1:1",
            "2001-99-99",
            "\\",
            "\t",
            "\0",
            "\ud7ff",
            "é",
            "한글",
            "\x85",
        ),
        *(
            "IPAddress",
            "ComputerName",
            "GPUCount",
            "Host ",
            "Include ",
            "Match ",
            "Port ",
            "password",
            "--api-key",
            "=",
        ),
        *("://", "@", "true", "a" * 300, "\ufeff", "\u202e", "-", "/", ".."),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join)
INPUTS = TEXTS.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=200)

BOUNDED = settings(
    max_examples=int(os.environ.get("DTUI_FUZZ_EXAMPLES", "150")),
    deadline=5000,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_give_a_result_or_a_fault(target: str) -> None:
    @BOUNDED
    @given(INPUTS)
    def check(data: bytes) -> None:
        TARGETS[target](data)

    check()


@pytest.mark.parametrize(("target", "seed"), zip(TARGETS, SEEDS, strict=True))
def test_the_seeds_of_the_fuzzer_pass(target: str, seed: bytes) -> None:
    TARGETS[target](seed)
