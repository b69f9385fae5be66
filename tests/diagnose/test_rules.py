"""What failed ranks print, and what a person is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.diagnose import Context, LogTails, Output, Rule, contexts_of, diagnose, load_rules
from fleet.diagnose.context import Program
from fleet.diagnose.rules import parse_rules
from fleet.events import LogChunk
from fleet.inventory import FaultsError, RunSettings
from fleet.plan import plan_run
from tests.hostile.planted import folder, link, pipe, sparse
from tests.plan.fleets import facts, inventory, worker

WINDOWS = Context("windows", "trainer", 29500)
LINUX = Context("linux", "trainer", 29500)
OTHER = Context("linux", "other", 29500)

BUSY = (
    "The server socket has failed to listen on any local network address. port: {}, useIpv6: false, "
    "code: -98, name: EADDRINUSE, message: address already in use"
)
NO_LIBUV = "torch.distributed.DistStoreError: use_libuv was requested but PyTorch was built without"
NO_GLOO = "RuntimeError: makeDeviceForHostname(): unsupported gloo device"
NO_NCCL = "RuntimeError: Distributed package doesn't have NCCL built in"
CODE_PAGE = "UnicodeDecodeError: 'cp949' codec can't decode byte 0xec in position 3"
NO_TRITON = "torch._inductor.exc.TritonMissing: Cannot find a working triton installation."
NO_GPU_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"
NO_DISK = "OSError: [Errno 28] No space left on device"
NCCL_TIMEOUT = "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)"

# What torch, accelerate, CUDA and Windows really print, where -> the signature that explains it.
SEEN = [
    (NO_LIBUV, WINDOWS, "libuv"),
    (NO_LIBUV, LINUX, "libuv-build"),
    (NO_GLOO, WINDOWS, "no-gloo"),
    (NO_GLOO, LINUX, "no-gloo-device"),
    (NO_NCCL, WINDOWS, "no-nccl"),
    (NO_NCCL, LINUX, "no-nccl-build"),
    ("RuntimeError: Unable to resolve hostname to a (local) address", LINUX, "loopback-name"),
    ("RuntimeError: [enforce fail] Unable to find address for: 이더넷", WINDOWS, "interface-name"),
    ("RuntimeError: The client socket has failed to connect to [master]:29500 (system error: 10049 - no)",
     WINDOWS, "foreign-adapter"),
    (BUSY.format(29500), LINUX, "rendezvous-port-busy"),
    ("[W socket.cpp:436] [c10d] The server socket has failed to bind to [::]:29500 (errno: 98 - Address "
     "already in use).", LINUX, "rendezvous-port-busy"),
    ("The server socket has failed to bind to [gpu1]:29500 (system error: 10048 - only one usage)", WINDOWS,
     "rendezvous-port-busy"),
    ("ConnectionError: Tried to launch distributed communication on port `29500`, but another process is "
     "utilizing it.", LINUX, "rendezvous-port-busy"),
    (BUSY.format(29511), LINUX, "port-busy"),
    ("OSError: [Errno 98] Address already in use", OTHER, "port-busy"),
    ("OSError: [WinError 10048] Only one usage of each socket address is normally permitted", WINDOWS,
     "port-busy"),
    ("DistStoreError: Timed out after 901 seconds waiting for clients. 1/2 clients joined.", LINUX,
     "missing-ranks"),
    ("[c10d] The client socket has timed out after 60000ms while trying to connect to "
     "(192.168.1.100, 29500).", LINUX, "master-unreachable"),
    ("[c10d] The client socket has failed to connect to [gpu1]:29500 (errno: 111 - Connection refused).",
     LINUX, "master-unreachable"),
    ("The client socket has timed out after 60000ms while trying to connect to (10.0.0.9, 6379).", OTHER,
     "connection-failed"),
    ("ConnectionRefusedError: [Errno 111] Connection refused", OTHER, "connection-failed"),
    (NO_GPU_MEMORY, LINUX, "out-of-gpu-memory"),
    (NO_GPU_MEMORY, OTHER, "out-of-gpu-memory-program"),
    (NO_TRITON, WINDOWS, "no-triton"),
    (NO_TRITON, LINUX, "no-compiler"),
    ("torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found in", OTHER,
     "no-compiler-program"),
    ('OSError: [WinError 1455] The paging file is too small. Error loading "c10.dll"', WINDOWS,
     "paging-file"),
    ("An attempt has been made to start a new process before the current process has\n        finished its "
     "bootstrapping phase.", WINDOWS, "no-main-guard"),
    ("OSError: [WinError 206] The filename or extension is too long", WINDOWS, "long-path"),
    (CODE_PAGE, WINDOWS, "code-page"),
    (CODE_PAGE, LINUX, "code-page-program"),
    ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", LINUX, "no-driver"),
    ("AssertionError: Torch not compiled with CUDA enabled", WINDOWS, "cpu-torch"),
    ("ModuleNotFoundError: No module named 'einops'", LINUX, "module-missing"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'data/train'", LINUX, "file-missing"),
    (NO_DISK, LINUX, "disk-full"),
    (NO_DISK, OTHER, "disk-full-program"),
    (NCCL_TIMEOUT, LINUX, "nccl-timeout"),
    (NCCL_TIMEOUT, OTHER, "nccl-timeout-program"),
    ("RuntimeError: [gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 20000ms for recv", LINUX,
     "straggler"),
    ("RuntimeError: [gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:41823", LINUX,
     "peer-gone"),
    ("E1124 failed (exitcode: 1) local_rank: 2 (pid: 4242) of binary", LINUX, "elastic-root"),
]  # fmt: skip


def tails_of(**texts: str) -> LogTails:
    """Return the tails of ranks (``rank0=...``) on Linux, with the trainer as the program."""
    tails = LogTails(dict.fromkeys(range(4), LINUX))
    for name, text in texts.items():
        tails.add(chunk(int(name.removeprefix("rank")), text))
    return tails


def chunk(rank: int, text: str) -> LogChunk:
    return LogChunk(node=f"gpu{rank}", run="r", rank=rank, offset=0, data=text.encode())


@pytest.mark.parametrize(("printed", "context", "signature"), SEEN)
def test_known_failures_are_told_apart(printed: str, context: Context, signature: str) -> None:
    tails = LogTails({0: context})
    tails.add(chunk(0, f"step 12 loss 0.5\n{printed}\n"))
    found = tails.diagnose(load_rules(), 0).found
    assert found is not None
    assert found.signature == signature
    assert found.line in printed


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_each_example_is_explained_by_its_own_rule(rule: Rule) -> None:
    assert rule.examples or rule.exit
    context = Context(rule.system or "linux", rule.program or "other", 29500, rule.kind)
    for printed in rule.examples:
        found = diagnose([Output(printed, context, 0, 1)], load_rules()).found
        assert found is not None
        assert found.signature == rule.id
    for code in rule.exit:
        found = diagnose([Output("step 3\n", context, 0, code)], load_rules()).found
        assert found is not None
        assert found.signature == rule.id
    for printed in rule.counter_examples:
        found = diagnose([Output(printed, context, 0, 1)], load_rules()).found
        assert found is None or found.signature != rule.id


#: Only true on Windows, and only of the trainer's configuration.
OF_WINDOWS = ("Windows", "ps1", "Hyper-V", "PYTHONUTF8")
OF_TRAINER = ("training.", "model.compile", "accelerate_config", "max_checkpoints")


@pytest.mark.parametrize(("printed", "context", "signature"), SEEN)
def test_what_is_said_is_true_of_the_system_and_the_program(
    printed: str, context: Context, signature: str
) -> None:
    tails = LogTails({0: Context("linux", "other", context.port)})
    tails.add(chunk(0, printed))
    found = tails.diagnose(load_rules(), 0).found
    if found is None:
        assert context.system == "windows", "it is known on Windows only"
        return
    said = f"{found.cause} {found.remedy}".replace("(on Windows, worker_setup.ps1 does)", "")
    assert [word for word in (*OF_WINDOWS, *OF_TRAINER) if word in said] == []


@pytest.mark.parametrize("port", [29500, 31000])
def test_only_the_runs_own_port_is_called_the_rendezvous(port: int) -> None:
    tails = LogTails({0: Context("linux", "other", port)})
    tails.add(chunk(0, BUSY.format(29500)))
    found = tails.diagnose(load_rules(), 0).found
    assert found is not None
    assert ("rendezvous" in found.cause) == (port == 29500)


@pytest.mark.parametrize(
    ("run", "program"),
    [
        (RunSettings(port=29511), "trainer"),
        (RunSettings(port=29511, method="accelerate"), "trainer"),
        (RunSettings(port=29511, module=None, script="trainer.py"), "other"),
    ],
)
def test_a_runs_plan_gives_the_context_of_each_rank(run: RunSettings, program: Program) -> None:
    told = {"master": facts("192.168.1.100"), "gpu1": facts("192.168.1.101", system="Windows")}
    plan = plan_run(inventory(worker("gpu1", "192.168.1.101", processes=2), run=run), told, run_id="r1")
    on_windows = Context("windows", program, 29511)
    assert contexts_of(plan) == {0: Context("linux", program, 29511), 1: on_windows, 2: on_windows}


def test_groups_are_filled_in() -> None:
    tails = tails_of()
    tails.add(chunk(0, "Timed out after 901 seconds waiting for clients. 1/2 clients joined."))
    found = tails.diagnose(load_rules(), 0).found
    assert found is not None
    assert found.cause == "only 1 of 2 ranks joined"


def test_a_root_cause_elsewhere_beats_a_consequence_here() -> None:
    tails = tails_of()
    tails.add(chunk(0, "RuntimeError: Connection closed by peer"))
    tails.add(chunk(1, "torch.OutOfMemoryError: CUDA out of memory."))
    found = tails.diagnose(load_rules(), 0).found
    assert found is not None
    assert found.signature == "out-of-gpu-memory"


def test_what_others_saw_of_a_ranks_end_is_no_cause_of_it() -> None:
    """A killed rank says nothing; that its peers lost it is what everybody knows by then."""
    tails = tails_of()
    tails.add(chunk(1, "step 240/2000  loss 0.71\n"))
    tails.add(chunk(0, "RuntimeError: Connection closed by peer"))
    assert tails.diagnose(load_rules(), 1).found is None
    for failed in (0, None):
        found = tails.diagnose(load_rules(), failed).found
        assert found is not None
        assert found.signature == "peer-gone"


def test_unknown_output_is_not_explained() -> None:
    tails = tails_of()
    tails.add(chunk(0, "Segmentation fault"))
    assert tails.diagnose(load_rules(), 0).found is None


@pytest.mark.parametrize("lead", ["", "[rank1]: "])
def test_an_exception_that_no_signature_knows_is_named_as_its_traceback_names_it(lead: str) -> None:
    tails = tails_of()
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
    tails = tails_of()
    tails.add(chunk(0, "CUDA out of memory\n"))
    for _ in range(40):
        tails.add(chunk(0, "x" * 9999 + "\n"))
    assert tails.diagnose(load_rules(), 0).found is None


def test_a_project_has_its_own_signatures(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "diagnosis.yaml").write_text(
        "- {id: cat, pattern: meow, cause: a cat sat on the switch, remedy: feed it}\n", "utf-8"
    )
    first, *others = load_rules(tmp_path)
    assert first.id == "cat"
    assert tuple(others) == load_rules()
    (tmp_path / "configs" / "diagnosis.yaml").write_text(
        "- {id: killed, pattern: meow, cause: a cat sat on the switch, remedy: feed it}\n", "utf-8"
    )
    assert [rule.cause for rule in load_rules(tmp_path) if rule.id == "killed"] == ["a cat sat on the switch"]


@pytest.mark.needs("posix")
@pytest.mark.parametrize("plant", [pipe, link, sparse, folder])
def test_signatures_that_a_program_replaced_are_not_waited_for(
    plant: Callable[[Path], None], tmp_path: Path
) -> None:
    (tmp_path / "configs").mkdir()
    plant(tmp_path / "configs" / "diagnosis.yaml")
    with pytest.raises(OSError, match=r"regular file|larger"):
        load_rules(tmp_path)


@pytest.mark.parametrize(
    ("condition", "word"),
    [
        ("system: mac", "windows, linux"),
        ("program: mine", "trainer, other"),
        ("port: 29500", "rendezvous"),
        ("port: rendezvous", "requires a group"),
    ],
)
def test_a_condition_that_does_not_exist_is_a_fault(condition: str, word: str) -> None:
    with pytest.raises(FaultsError, match=word):
        parse_rules(f"- {{id: a, pattern: x, cause: x, remedy: y, {condition}}}\n", "diagnosis.yaml")


def test_all_faults_of_a_file_are_told() -> None:
    with pytest.raises(FaultsError) as caught:
        parse_rules(
            "- {id: a, pattern: '(', cause: x, remedy: y}\n"
            "- {id: b, cause: x, remedy: y}\n"
            "- {id: c, pattern: z, cause: 'group \\1', remedy: y, colour: red}\n"
            "- nothing\n",
            "diagnosis.yaml",
        )
    text = str(caught.value)
    assert len(caught.value.faults) == 5
    for word in ("entry 1 (a)", "'pattern' is missing", "refers to group 1", "'colour'", "must be a mapping"):
        assert word in text
