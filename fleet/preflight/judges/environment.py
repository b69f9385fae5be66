"""After a deploy: is everything that trains the same on all nodes, and able to do its part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleet.inventory import Node
from fleet.nodeset import expand, fold
from fleet.plan import PlanError, RunPlan, plan_run
from fleet.preflight.check import Judge, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.judges.sizes import size

_NOT_YET = "nothing is deployed yet"
_DEPLOY = "deploy again (dtui deploy)"
#: Windows wheels of these lack gloo.
_WITHOUT_GLOO = ("2.8.", "2.9.", "2.10.")


def environment(subject: Subject) -> Verdict:
    """Judge whether a training Python is set up."""
    found = subject["conditions"]["environment"]
    if found is None:
        return skip(_NOT_YET)
    warnings = found.get("warnings") or []
    seen = f"Python {found['python']}, {found['kind']}, {found['interpreter']}"
    return warn(f"{seen}: {warnings[0]}") if warnings else ok(seen)


def same(what: str, read: Callable[[dict[str, Any]], str | None], *, decisive: bool = True) -> Judge:
    """Return the judge that something of the environment is the same everywhere as on rank 0's node.

    A difference that is not ``decisive`` may go well, so it is a warning.
    """

    def judge(subject: Subject) -> Verdict:
        if subject["conditions"]["environment"] is None:
            return skip(_NOT_YET)
        own = read(subject["conditions"]["environment"])
        versions: dict[str | None, list[str]] = {}
        for node in subject.situation.nodes:
            environment = (subject.of(node.name, "conditions") or {}).get("environment")
            if environment is not None:
                versions.setdefault(read(environment), []).append(node.name)
        if len(versions) <= 1:
            return ok(f"{what} {own}") if own else skip(f"no {what} on any node")
        first = read(_environment_of(subject, subject.situation.nodes[0]) or {})
        if own == first and own is not None:
            return ok(f"{what} {own}")
        others = "; ".join(
            f"{fold(nodes)} {version}" if version else f"{fold(nodes)} none"
            for version, nodes in versions.items()
            if version != own
        )
        told = fail if decisive or own is None else warn
        return told(
            f"{what} {own}, and {others}" if own else f"{what} is missing, and {others}",
            f"pin {what} in the project's dependencies (uv.lock) and {_DEPLOY}",
        )

    return judge


def python_of(environment: dict[str, Any]) -> str | None:
    """Return major and minor of the training Python."""
    version = environment.get("python")
    return ".".join(str(version).split(".")[:2]) if version else None


def package_of(name: str) -> Callable[[dict[str, Any]], str | None]:
    """Return a reader of a package's version, without the build's part: CUDA builds may differ."""

    def read(environment: dict[str, Any]) -> str | None:
        version = (environment.get("packages") or {}).get(name)
        return str(version).split("+")[0] if version else None

    return read


def plan(subject: Subject) -> Verdict:
    """Judge whether the nodes can be laid out as one run, and say where they meet."""
    result = plan_of(subject)
    if isinstance(result, RunPlan):
        part = next((one for one in result.nodes if one.node == subject.node.name), None)
        if part is None:
            return skip("takes no part in the run")
        last = part.first_rank + part.local_world_size - 1
        ranks = f"rank {last}" if last == part.first_rank else f"ranks {part.first_rank}-{last}"
        return ok(
            f"{ranks} of {result.world_size}, {result.backend}, meeting at "
            f"{result.master_address}:{result.master_port}"
        )
    own = [fault for fault in result.faults if _concerns(fault.key, subject)]
    if not own:
        return skip("other nodes keep the run from being laid out")
    return fail("; ".join(fault.what for fault in own), "; ".join(fault.remedy for fault in own))


def plan_of(subject: Subject) -> RunPlan | PlanError:
    """Return the plan that a launch would make now, or why it can't."""
    found: RunPlan | PlanError = subject.once("plan", lambda: _plan(subject))
    return found


def _plan(subject: Subject) -> RunPlan | PlanError:
    situation = subject.situation
    facts = {
        node.name: found for node in situation.nodes if (found := subject.of(node.name, "facts")) is not None
    }
    nodes = [node for node in situation.nodes if node.name in facts]
    try:
        return plan_run(situation.inventory, facts, run_id="preflight", nodes=nodes, cpu=situation.cpu)
    except PlanError as error:
        return error


def _concerns(key: str, subject: Subject) -> bool:
    if not key:
        return subject.hosts_rank_0
    return subject.node.name in expand(key)


def backend(subject: Subject) -> Verdict:
    """Judge whether torch can do what the plan asks: gloo or nccl, tried by a process group of one."""
    found = subject["conditions"]["environment"]
    torch = (found or {}).get("torch")
    if torch is None:
        return skip("no torch is deployed")
    if "error" in torch:
        return fail(f"torch does not load: {torch['error']}", "install it again, or the Visual C++ runtime")
    result = plan_of(subject)
    wanted = result.backend if isinstance(result, RunPlan) else "gloo"
    version = str(torch["version"])
    if not torch.get(wanted):
        if wanted == "gloo" and version.startswith(_WITHOUT_GLOO):
            return fail(
                f"torch {version} was built without gloo, as all of 2.8 to 2.10 for Windows",
                "install torch 2.7.1 or older, or 2.11 or newer",
            )
        return fail(f"torch {version} was built without {wanted}", "install another build of torch")
    env = {**dict(subject.situation.inventory.run.env), **dict(subject.node.env)}
    if subject.on_windows and env.get("USE_LIBUV", "0") != "0":
        return fail(
            f"USE_LIBUV={env['USE_LIBUV']}, and torch for Windows is built without libuv",
            "remove USE_LIBUV from `env`: dtui sets it to 0",
        )
    trial = subject.of(subject.node.name, "trial") or {}
    tried = trial.get("backend")
    if tried and tried != "works":
        return fail(
            f"{wanted} can't start: {tried}",
            "set `interface` to the adapter that leads to the master; see the check `adapter`",
        )
    return ok(f"{wanted}, in torch {version}" + (", started for a try" if tried else ""))


def code(subject: Subject) -> Verdict:
    """Judge whether the deployed files are those of rank 0's node."""
    first = subject.situation.nodes[0]
    wanted, own = subject.of(first.name, "code"), subject["code"]
    if _untouched(subject):
        return skip(_NOT_YET)
    if wanted is None:
        return skip(f"{first.name} did not tell its files")
    different = sorted(path for path in wanted if own.get(path) != wanted[path])
    if not different:
        return ok(f"{len(wanted)} files, the same as on {first.name}")
    missing = [path for path in different if own.get(path, "missing") == "missing"]
    kind = "are missing or differ" if missing else "differ"
    return fail(f"{len(different)} files {kind}: {', '.join(different[:3])}", _DEPLOY)


def data(subject: Subject) -> Verdict:
    """Judge whether the data folder is the same on all nodes."""
    own = subject["data"]
    first = next(
        (node for node in subject.situation.nodes if (subject.of(node.name, "data") or {}).get("exists")),
        None,
    )
    if first is None:
        return skip("no node has a data folder; the program may make its data")
    wanted = subject.of(first.name, "data")
    if not own["exists"] and _untouched(subject):
        return skip(_NOT_YET)
    if not own["exists"] or not own["files"]:
        return fail(f"has no {own['folder']}, {first.name} has {wanted['files']} files", _copy(own))
    told = f"{own['files']} files, {size(own['bytes'])}"
    if own["names"] != wanted["names"]:
        return fail(f"{told}; not as on {first.name}: {_where(own, wanted)}", _copy(own))
    if own["contents"] != wanted["contents"]:
        sampled = wanted["sampled"]
        bad = sorted(path for path, digest in own["sampled"].items() if sampled.get(path) != digest)
        named = f", for example {own['folder']}/{bad[0]}" if bad else ""
        return fail(f"same names and sizes as on {first.name}, other contents{named}", _copy(own))
    whole = "all contents" if own["read"] >= own["bytes"] else f"contents of {size(own['read'])}"
    return ok(f"{told}; names, sizes and {whole} as on {first.name}")


def _copy(own: dict[str, Any]) -> str:
    return f"copy {own['folder']} again: it is left out of deploys, or has changed since"


def _where(own: dict[str, Any], wanted: dict[str, Any]) -> str:
    for folder in sorted({*own["folders"], *wanted["folders"]}):
        here, there = own["folders"].get(folder), wanted["folders"].get(folder)
        if here != there:
            name = "/".join(part for part in (own["folder"], folder) if part)
            if here is None:
                return f"{name} is missing"
            if there is None:
                return f"{name} is there only"
            if here[0] != there[0]:
                return f"{name} has {here[0]} files instead of {there[0]}"
            return f"{name} has files of other names or sizes"
    return "names or sizes differ"


def config(subject: Subject) -> Verdict:
    """Judge the training configuration as the program itself reads it."""
    found = subject["config"]
    if not subject.hosts_rank_0:
        return skip(f"told at {subject.situation.nodes[0].name}; the check `code` compares the file")
    if found["path"] is None:
        return skip("the program gets no --config")
    if found["faults"]:
        more = f" (and {len(found['faults']) - 1} more)" if len(found["faults"]) > 1 else ""
        remedy = (
            f"correct {found['path']}" if found["exists"] else "write it, or name another file (--config)"
        )
        return fail(f"{found['faults'][0]}{more}", remedy)
    if found["by_program"]:
        return ok(f"{found['path']} as the trainer reads it")
    return ok(f"{found['path']} is readable YAML")


def batch(subject: Subject) -> Verdict:
    """Judge batch size against ranks and data."""
    if not subject.hosts_rank_0:
        return skip(f"told at {subject.situation.nodes[0].name}")
    training = (subject["config"].get("values") or {}).get("training")
    result = plan_of(subject)
    if not isinstance(training, dict) or not isinstance(training.get("batch_size"), int):
        return skip("the configuration has no training.batch_size")
    if not isinstance(result, RunPlan):
        return skip("the run can't be laid out")
    one, steps = training["batch_size"], training.get("gradient_accumulation_steps")
    steps = steps if isinstance(steps, int) and steps > 0 else 1
    world = result.world_size
    for key in ("total_batch_size", "global_batch_size", "effective_batch_size"):
        total = training.get(key)
        if isinstance(total, int) and total % (world * steps):
            return fail(
                f"{key} {total} can't be divided by {world} ranks x {steps} accumulation steps",
                f"choose a multiple of {world * steps}",
            )
    effective = one * world * steps
    seen = f"effective batch {effective} = {one} x {world} ranks x {steps} accumulation steps"
    pairs = _pairs(subject.of(subject.node.name, "data") or {})
    if pairs is not None and pairs < one * world:
        return fail(
            f"{seen}, and there are only {pairs} training pairs",
            f"use batch_size {max(pairs // world, 1)} or less, or fewer ranks",
        )
    return ok(seen + (f"; {pairs} training pairs" if pairs is not None else ""))


def _pairs(data: dict[str, Any]) -> int | None:
    folder = (data.get("folders") or {}).get("train/input_text")
    return int(folder[0]) if folder else None


def _untouched(subject: Subject) -> bool:
    """Return whether no deploy has ever reached the node, nor has its folder been made otherwise."""
    conditions, master = subject["conditions"], subject.situation.inventory.master
    return subject.node.name != master.name and not conditions["deployed"] and not conditions["environment"]


def _environment_of(subject: Subject, node: Node) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (subject.of(node.name, "conditions") or {}).get("environment")
    return found
