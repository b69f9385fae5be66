"""The exception that ended a program is found through what launchers and consoles put around it."""

from __future__ import annotations

import pytest

from fleet.diagnose import Context, Output, diagnose, load_rules
from fleet.diagnose.exceptions import exception_of

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/env/lib/python3.10/site-packages/torch/nn/modules/module.py", line 1501, in _call_impl',
    "    return forward_call(*args)",
    '  File "train.py", line 9, in step',
    "    x = batch['caption']",
    "KeyError: 'caption'",
]
LAUNCHER = [
    "Traceback (most recent call last):",
    '  File "/env/bin/accelerate", line 8, in <module>',
    "    sys.exit(main())",
    "subprocess.CalledProcessError: Command '['python', 'train.py']' returned non-zero exit status 1.",
]
HANDLED = [
    "Traceback (most recent call last):",
    '  File "train.py", line 1, in <module>',
    "    import flash_attn",
    "ModuleNotFoundError: No module named 'flash_attn'",
]


def prefixed(lead: str, lines: list[str]) -> list[str]:
    return [lead + line for line in lines]


OUTPUTS = {
    "a launcher": [*TRACEBACK, *LAUNCHER],
    "a handled one before it": [*HANDLED, "training without flash attention", *TRACEBACK],
    "the rank of torchrun": prefixed("[default0]:", TRACEBACK),
    "the rank of torch": ["[rank0]: started", *prefixed("[rank0]: ", TRACEBACK), *LAUNCHER],
    "Ray": prefixed("(RayTrainWorker pid=42, ip=10.0.0.2) ", TRACEBACK),
    "mpirun": prefixed("[1,0]<stderr>:", TRACEBACK),
    "a progress bar": ["Epoch 0:  10%|█         | 1/10 [00:01<00:09]" + TRACEBACK[0], *TRACEBACK[1:]],
    "carriage returns": ["step 1\rstep 2\r" + TRACEBACK[0], *TRACEBACK[1:]],
    "colours": ["\x1b[31m" + line + "\x1b[0m" for line in TRACEBACK],
    "interleaved lines": [*TRACEBACK[:3], "[W123 reducer.cpp:1] Warning: x", *TRACEBACK[3:]],
    "a destructor's exception": [*TRACEBACK, "Exception ignored in: <function A.__del__>", *HANDLED],
    "an exception group": [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "train.py", line 3, in <module>',
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        *prefixed("    | ", TRACEBACK),
        "    +------------------------------------",
    ],
    "spawned processes": [
        *LAUNCHER[:3],
        "torch.multiprocessing.spawn.ProcessRaisedException: ",
        "",
        "-- Process 0 terminated with the following error:",
        *TRACEBACK,
    ],
}


@pytest.mark.parametrize("around", OUTPUTS)
def test_it_is_found_within(around: str) -> None:
    text = "\n".join(OUTPUTS[around])
    assert exception_of(text) == "KeyError: 'caption'"
    report = diagnose([Output(text, Context("linux", "other", None), 0, 1)], load_rules())
    assert report.found is None
    assert (report.place, report.function) == ("train.py:9", "step")


def test_what_an_exception_came_from_counts_when_nothing_is_known_of_itself() -> None:
    text = "\n".join(
        [
            *HANDLED,
            "",
            "The above exception was the direct cause of the following exception:",
            "",
            *TRACEBACK[:-1],
            "pipeline.LoadFailed: cannot build the model",
        ]
    )
    report = diagnose([Output(text, Context("linux", "other", None), 0, 1)], load_rules())
    assert report.exception == "pipeline.LoadFailed: cannot build the model"
    assert report.found is not None
    assert report.found.signature == "module-missing"


def test_a_launcher_tells_how_its_process_ended() -> None:
    text = "\n".join([*LAUNCHER[:3], LAUNCHER[3].replace("status 1.", "status 137.")])
    report = diagnose([Output(text, Context("linux", "other", None), None, 1)], load_rules())
    assert report.found is not None
    assert report.found.signature == "killed"


def test_of_the_ranks_in_one_log_the_one_that_did_not_only_lose_another_counts() -> None:
    lost = ["RuntimeError: [gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.2]:1"]
    text = "\n".join([*prefixed("[rank0]: ", lost), *prefixed("[rank1]: ", TRACEBACK)])
    report = diagnose([Output(text, Context("linux", "other", None), None, 1)], load_rules())
    assert (report.found, report.exception) == (None, "KeyError: 'caption'")


def test_nothing_is_blamed_when_the_program_succeeded_or_was_stopped() -> None:
    text, context = "\n".join(HANDLED), Context("linux", "other", None)
    assert diagnose([Output(text, context, 0, 0)], load_rules()).found is None
    assert diagnose([Output(text, context, 0, -15, stopped=True)], load_rules()).found is None
    assert diagnose([Output(text, context, 0, 1)], load_rules()).found is not None
