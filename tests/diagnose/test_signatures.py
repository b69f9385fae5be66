"""What failed ranks print, and what a person is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.diagnose import LogTails, load_signatures
from fleet.diagnose.signatures import parse_signatures
from fleet.events import LogChunk
from fleet.inventory import FaultsError

# What torch, accelerate, CUDA and Windows really print -> the signature that explains it.
SEEN = {
    "torch.distributed.DistStoreError: use_libuv was requested but PyTorch was built without": "libuv",
    "RuntimeError: makeDeviceForHostname(): unsupported gloo device": "no-gloo",
    "RuntimeError: Distributed package doesn't have NCCL built in": "no-nccl",
    "RuntimeError: Unable to resolve hostname to a (local) address": "loopback-name",
    "RuntimeError: [enforce fail] Unable to find address for: 이더넷": "interface-name",
    "The client socket has failed to connect to [master]:29500 (system error: 10049 - no)": "foreign-adapter",
    "The server socket has failed to listen on any local network address. port: 29500, code: -98, "
    "name: EADDRINUSE, message: address already in use": "port-busy",
    "DistStoreError: Timed out after 901 seconds waiting for clients. 1/2 clients joined.": "missing-ranks",
    "[W socket.cpp:764] [c10d] The client socket has timed out after 60000ms": "master-unreachable",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB": "out-of-gpu-memory",
    "torch._inductor.exc.TritonMissing: Cannot find a working triton installation.": "no-compiler",
    "torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found in": "no-compiler",
    'OSError: [WinError 1455] The paging file is too small. Error loading "c10.dll"': "paging-file",
    "An attempt has been made to start a new process before the current process has\n        finished its "
    "bootstrapping phase.": "no-main-guard",
    "OSError: [WinError 206] The filename or extension is too long": "long-path",
    "UnicodeDecodeError: 'cp949' codec can't decode byte 0xec in position 3": "code-page",
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.": "driver",
    "AssertionError: Torch not compiled with CUDA enabled": "cpu-torch",
    "ModuleNotFoundError: No module named 'einops'": "module-missing",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/train'": "file-missing",
    "OSError: [Errno 28] No space left on device": "disk-full",
    "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)": "nccl-timeout",
    "RuntimeError: [gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 20000ms for recv": "straggler",
    "RuntimeError: [gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:41823": "peer-gone",
    "E1124 failed (exitcode: 1) local_rank: 2 (pid: 4242) of binary": "elastic-root",
}


def chunk(rank: int, text: str) -> LogChunk:
    return LogChunk(node=f"gpu{rank}", run="r", rank=rank, offset=0, data=text.encode())


@pytest.mark.parametrize(("printed", "signature"), SEEN.items())
def test_known_failures_are_told_apart(printed: str, signature: str) -> None:
    tails = LogTails()
    tails.add(chunk(0, f"step 12 loss 0.5\n{printed}\n"))
    found = tails.diagnose(load_signatures(), 0)
    assert found is not None
    assert found.signature == signature
    assert found.line in printed


def test_every_shipped_signature_is_shown_by_an_example() -> None:
    assert {signature.id for signature in load_signatures()} == set(SEEN.values())


def test_groups_are_filled_in() -> None:
    tails = LogTails()
    tails.add(chunk(0, "Timed out after 901 seconds waiting for clients. 1/2 clients joined."))
    found = tails.diagnose(load_signatures(), 0)
    assert found is not None
    assert found.cause == "only 1 of 2 ranks arrived at the rendezvous"


def test_a_root_cause_elsewhere_beats_a_consequence_here() -> None:
    tails = LogTails()
    tails.add(chunk(0, "RuntimeError: Connection closed by peer"))
    tails.add(chunk(1, "torch.OutOfMemoryError: CUDA out of memory."))
    found = tails.diagnose(load_signatures(), 0)
    assert found is not None
    assert found.signature == "out-of-gpu-memory"


def test_what_others_saw_of_a_ranks_end_is_no_cause_of_it() -> None:
    """A killed rank says nothing; that its peers lost it is what everybody knows by then."""
    tails = LogTails()
    tails.add(chunk(1, "step 240/2000  loss 0.71\n"))
    tails.add(chunk(0, "RuntimeError: Connection closed by peer"))
    assert tails.diagnose(load_signatures(), 1) is None
    for failed in (0, None):
        found = tails.diagnose(load_signatures(), failed)
        assert found is not None
        assert found.signature == "peer-gone"


def test_unknown_output_is_not_explained() -> None:
    tails = LogTails()
    tails.add(chunk(0, "Segmentation fault"))
    assert tails.diagnose(load_signatures(), 0) is None


@pytest.mark.parametrize("lead", ["", "[rank1]: "])
def test_an_exception_that_no_signature_knows_is_named_as_its_traceback_names_it(lead: str) -> None:
    tails = LogTails()
    lines = [
        "Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "    first()",
        "KeyError: 'first'", "", "During handling of the above exception, another exception occurred:", "",
        "Traceback (most recent call last):", '  File "a.py", line 3, in <module>', "    second()",
        "data.Broken: the file has no column 'text'", "  it has these",
    ]  # fmt: skip
    tails.add(chunk(1, "".join(f"{lead}{line}\n" for line in lines)))
    tails.add(chunk(2, "hello\n"))
    assert tails.exception(1) == "data.Broken: the file has no column 'text'"
    assert tails.exception(2) == ""
    assert tails.exception(3) == ""
    assert tails.exception(None) == ""


def test_only_the_end_of_a_long_log_is_kept() -> None:
    tails = LogTails()
    tails.add(chunk(0, "CUDA out of memory\n"))
    for _ in range(40):
        tails.add(chunk(0, "x" * 9999 + "\n"))
    assert tails.diagnose(load_signatures(), 0) is None


def test_a_project_has_its_own_signatures(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "diagnosis.yaml").write_text(
        "- {id: cat, pattern: meow, cause: a cat sat on the switch, remedy: feed it}\n", "utf-8"
    )
    (signature,) = load_signatures(tmp_path)
    assert signature.id == "cat"


def test_all_faults_of_a_file_are_told() -> None:
    with pytest.raises(FaultsError) as caught:
        parse_signatures(
            "- {id: a, pattern: '(', cause: x, remedy: y}\n"
            "- {id: b, cause: x, remedy: y}\n"
            "- {id: c, pattern: z, cause: 'group \\1', remedy: y, colour: red}\n"
            "- nothing\n",
            "diagnosis.yaml",
        )
    text = str(caught.value)
    assert len(caught.value.faults) == 5
    for word in ("entry 1 (a)", "'pattern' is missing", "names group 1", "'colour'", "has to be a mapping"):
        assert word in text
