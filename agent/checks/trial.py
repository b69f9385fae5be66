"""``agent.pyz trial FOLDER``: tests what a rank needs, under the account and in the session of a rank.

It is started detached as a run's supervisor is, since a service's session may see other GPUs than a
person's. FOLDER has ``request.json`` (``{"argv", "cwd", "env", "variables", "seconds"}``); it gets
``started`` and then ``result.json`` (``{"status", "output"}``, status None after the time limit).
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any, Dict, Optional

from agent import durable
from agent.environments.variables import VariablesError, environment_of
from agent.private import opener

_KEPT = 20_000

#: Run by the training interpreter: one operation on each visible GPU, and a process group of one.
PROGRAM = r"""
import json, os, sys, time
answer = {"devices": [], "backend": None, "error": None}
try:
    import torch
    import torch.distributed as dist
    answer.update(torch=torch.__version__, cuda=torch.version.cuda, hip=getattr(torch.version, "hip", None))
    for index in range(torch.cuda.device_count() if sys.argv[2] == "gpu" else 0):
        begun = time.time()
        one = {"index": index, "name": None, "error": None, "wrong": None}
        try:
            one["name"] = torch.cuda.get_device_name(index)
            a = torch.ones(256, 256, device="cuda:%d" % index)
            value = float((a @ a).sum())
            if value != 256.0 ** 3:
                one["wrong"] = repr(value)
        except Exception as error:
            one["error"] = "%s: %s" % (type(error).__name__, str(error).split("\n")[0])
        one["seconds"] = round(time.time() - begun, 3)
        answer["devices"].append(one)
    backend = sys.argv[1]
    try:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
        if backend == "gloo":
            number = torch.ones(1)
            dist.all_reduce(number)
        dist.destroy_process_group()
        answer["backend"] = "works"
    except Exception as error:
        answer["backend"] = "%s: %s" % (type(error).__name__, str(error).split("\n")[0])
except Exception as error:
    answer["error"] = "%s: %s" % (type(error).__name__, str(error).split("\n")[0])
sys.stdout.write("\nDTUI-TRIAL " + json.dumps(answer) + "\n")
"""


def main(folder: str) -> int:
    """Run the request and leave its result."""
    with open(os.path.join(folder, "request.json"), "rb", opener=opener) as file:
        request: Dict[str, Any] = json.loads(file.read())
    with open(os.path.join(folder, "started"), "xb", opener=opener):
        pass
    status: Optional[int] = None
    try:
        done = subprocess.run(
            request["argv"],
            cwd=request["cwd"],
            env={**_variables(request), **request["env"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=float(request["seconds"]),
            creationflags=0x08000000 if os.name == "nt" else 0,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    except OSError as error:
        status, output = 127, str(error).encode("utf-8", "replace")
    except VariablesError as error:
        status, output = 127, error.message.encode("utf-8", "replace")
    text = output[-_KEPT:].decode("utf-8", "replace")
    durable.write_json(os.path.join(folder, "result.json"), {"status": status, "output": text})
    return 0


def _variables(request: Dict[str, Any]) -> Dict[str, str]:
    return environment_of(request["argv"][0], request["variables"], {}).environment
