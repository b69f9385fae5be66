"""What a run reads: the data folder, the configuration and the batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from agent.wire.message import Message, message
from fleet.data import Data
from fleet.plan import RunPlan
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip
from fleet.preflight.checks.environment import NOT_DEPLOYED, is_untouched
from fleet.preflight.checks.run_plan import plan_of
from fleet.preflight.observations import CONDITIONS, CONFIG, DATA, FACTS, RUN_NOT_PLANNED, DataObservation


def data(subject: Subject) -> Verdict:
    """Evaluate whether the program's data is the same on all nodes."""
    described = subject.situation.data
    if described is None:
        return skip(message("preflight.data-undescribed", "nodes.yaml has no `data`, so no data is compared"))
    if described.parity == "off":
        return skip(message("preflight.data-off", "not compared (`parity: off`)"))
    own = subject[DATA]
    found = ((node, subject.of(node.name, DATA)) for node in subject.situation.nodes)
    first, wanted = next(((node, seen) for node, seen in found if seen and seen["exists"]), (None, None))
    if first is None or wanted is None:
        return skip(
            message("preflight.data-nowhere", "no node has a data folder; the program may create its data")
        )
    if not own["exists"] and is_untouched(subject):
        return NOT_DEPLOYED
    remedy = _remedy(described, own["folder"], subject.node.name)
    if not own["exists"] or not own["files"]:
        return fail(
            message(
                "preflight.data-missing",
                "{folder} is missing or empty; {node} has {count:n file}",
                folder=own["folder"],
                node=first.name,
                count=wanted["files"],
            ),
            remedy,
        )
    counted = message(
        "preflight.data-size", "{count:n file}, {size:bytes}", count=own["files"], size=own["bytes"]
    )
    compared: Literal["paths", "names"] = "paths" if described.parity == "names" else "names"
    if own[compared] != wanted[compared]:
        return fail(
            message(
                "preflight.data-differs",
                "{data}; not as on {node}: {difference}",
                data=counted,
                node=first.name,
                difference=_difference(own, wanted),
            ),
            remedy,
        )
    if described.parity == "names":
        return ok(
            message("preflight.data-names", "{data}; names as on {node}", data=counted, node=first.name)
        )
    if described.parity == "sizes":
        return ok(
            message(
                "preflight.data-sizes", "{data}; names and sizes as on {node}", data=counted, node=first.name
            )
        )
    if own["contents"] != wanted["contents"]:
        return fail(_other_contents(own, wanted, first.name), remedy)
    if own["read"] >= own["bytes"]:
        return ok(
            message(
                "preflight.data",
                "{data}; names, sizes and all contents as on {node}",
                data=counted,
                node=first.name,
            )
        )
    return ok(
        message(
            "preflight.data-sampled",
            "{data}; names, sizes and {size:bytes} of contents as on {node}",
            data=counted,
            size=own["read"],
            node=first.name,
        )
    )


def _remedy(data: Data, folder: str, node: str) -> Message:
    if data.sync == "mirror":
        return message("preflight.data-mirror.remedy", "deploy again (dtui deploy)")
    return message(
        "preflight.data-differs.remedy",
        "copy {folder} to {node} again, let the deploy do it (`data: {{sync: mirror}}` in nodes.yaml), or "
        "compare less (`parity`)",
        folder=folder,
        node=node,
    )


def _other_contents(own: DataObservation, wanted: DataObservation, node: str) -> Message:
    sampled = wanted["sampled"]
    different = sorted(path for path, digest in own["sampled"].items() if sampled.get(path) != digest)
    if not different:
        return message(
            "preflight.data-contents", "same names and sizes as on {node}, but different contents", node=node
        )
    return message(
        "preflight.data-contents-of",
        "same names and sizes as on {node}, but different contents, for example {folder}/{path}",
        node=node,
        folder=own["folder"],
        path=different[0],
    )


def _difference(own: DataObservation, wanted: DataObservation) -> Message:
    for folder in sorted({*own["folders"], *wanted["folders"]}):
        here, there = own["folders"].get(folder), wanted["folders"].get(folder)
        if here == there:
            continue
        name = "/".join(part for part in (own["folder"], folder) if part)
        if here is None:
            return message("preflight.data-folder-missing", "{folder} is missing", folder=name)
        if there is None:
            return message("preflight.data-folder-extra", "{folder} exists only on this node", folder=name)
        if here[0] != there[0]:
            return message(
                "preflight.data-folder-count",
                "{folder} has {count:n file} instead of {expected}",
                folder=name,
                count=here[0],
                expected=there[0],
            )
        return message(
            "preflight.data-folder-differs", "{folder} has files with other names or sizes", folder=name
        )
    return message("preflight.data-names-differ", "names or sizes differ")


def config(subject: Subject) -> Verdict:
    """Evaluate the training configuration as the program itself reads it."""
    found = subject[CONFIG]
    if not subject.hosts_rank_0:
        return skip(
            message(
                "preflight.config-elsewhere",
                "see the result of {node}; `code` compares the file",
                node=subject.situation.nodes[0].name,
            )
        )
    path, faults = found["path"], found["faults"]
    if path is None:
        return skip(message("preflight.config-none", "the program gets no --config"))
    if faults:
        seen = faults[0]
        if len(faults) > 1:
            seen = message(
                "preflight.config-faults", "{fault} (and {count} more)", fault=seen, count=len(faults) - 1
            )
        if found["exists"]:
            return fail(seen, message("preflight.config-faults.remedy", "correct {path}", path=path))
        return fail(
            seen,
            message(
                "preflight.config-missing.remedy", "create {path}, or pass another file (--config)", path=path
            ),
        )
    if found["by_program"]:
        return ok(message("preflight.config", "{path}: read by the program without errors", path=path))
    return ok(message("preflight.config-yaml", "{path}: valid YAML", path=path))


def batch(subject: Subject) -> Verdict:
    """Evaluate the batch size against ranks and data."""
    if not subject.hosts_rank_0:
        return skip(
            message(
                "preflight.batch-elsewhere",
                "see the result of {node}",
                node=subject.situation.nodes[0].name,
            )
        )
    training = subject[CONFIG]["values"].get("training")
    result = plan_of(subject)
    size = _count(training, "batch_size")
    if size is None:
        return skip(message("preflight.batch-none", "the configuration has no training.batch_size"))
    if not isinstance(result, RunPlan):
        return skip(RUN_NOT_PLANNED)
    steps = max(_count(training, "gradient_accumulation_steps") or 1, 1)
    ranks = result.world_size
    for key in ("total_batch_size", "global_batch_size", "effective_batch_size"):
        total = _count(training, key)
        if total is not None and total % (ranks * steps):
            return fail(
                message(
                    "preflight.batch-remainder",
                    "{key} {total} is not divisible by {ranks:n rank} x {steps:n accumulation step}",
                    key=key,
                    total=total,
                    ranks=ranks,
                    steps=steps,
                ),
                message(
                    "preflight.batch-remainder.remedy",
                    "set {key} to a multiple of {number}",
                    key=key,
                    number=ranks * steps,
                ),
            )
    seen = message(
        "preflight.batch",
        "effective batch {total} = {size} x {ranks:n rank} x {steps:n accumulation step}",
        total=size * ranks * steps,
        size=size,
        ranks=ranks,
        steps=steps,
    )
    pairs = _training_pairs(subject[DATA])
    if pairs is None:
        return ok(seen)
    if pairs < size * ranks:
        return fail(
            message(
                "preflight.batch-too-large",
                "{batch}, but only {pairs:n training pair}",
                batch=seen,
                pairs=pairs,
            ),
            message(
                "preflight.batch-too-large.remedy",
                "set batch_size to {size} or less, or use fewer ranks",
                size=max(pairs // ranks, 1),
            ),
        )
    return ok(message("preflight.batch-pairs", "{batch}; {pairs:n training pair}", batch=seen, pairs=pairs))


def _count(section: object, key: str) -> int | None:
    value = section.get(key) if isinstance(section, Mapping) else None
    return value if isinstance(value, int) else None


def _training_pairs(data: DataObservation) -> int | None:
    folder = data["folders"].get("train/input_text")
    return folder[0] if folder else None


CHECKS: Final = (
    Check("data", message("check.data", "same data"), "environment",
          message("check.data.why", "each rank reads its part of the same list of files"),
          (CONDITIONS, DATA), data, "fleet"),
    Check("config", message("check.config", "configuration"), "environment",
          message("check.config.why", "a wrong option ends every rank at its start"),
          (CONFIG,), config),
    Check("batch", message("check.batch", "batch size"), "environment",
          message("check.batch.why", "every rank needs its share of each batch"),
          (FACTS, CONFIG, DATA), batch, "fleet"),
)  # fmt: skip
