"""After a deploy: are Python, torch and the code the same on all nodes, and does the backend start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.wire.deploy import EnvironmentFacts, TorchFacts
from agent.wire.message import Message, from_data, message
from fleet.inventory import Node
from fleet.nodeset import fold
from fleet.plan import RunPlan
from fleet.preflight.check import Check, Evaluator, Subject, Verdict, fail, ok, skip, warn
from fleet.preflight.checks.run_plan import plan_of
from fleet.preflight.observations import CONDITIONS, FACTS, TRIAL

NOT_DEPLOYED = skip(message("preflight.not-deployed", "nothing is deployed yet"))
TORCH_NOT_DEPLOYED = skip(message("preflight.torch-not-deployed", "torch is not deployed"))
#: The releases of torch whose wheels for Windows lack gloo.
_WITHOUT_GLOO = ("2.8.", "2.9.", "2.10.")


def environment(subject: Subject) -> Verdict:
    """Evaluate whether a training Python is set up."""
    found = subject[CONDITIONS]["environment"]
    if found is None:
        return NOT_DEPLOYED
    seen = message(
        "preflight.environment",
        "Python {version}, {kind}, {interpreter}",
        version=found["python"],
        kind=found["kind"],
        interpreter=found["interpreter"],
    )
    if not found["warnings"]:
        return ok(seen)
    return warn(
        message(
            "preflight.environment-warning",
            "{environment}: {warning}",
            environment=seen,
            warning=from_data(found["warnings"][0]),
        )
    )


def same(package: str, read: Callable[[EnvironmentFacts], str | None], *, decisive: bool = True) -> Evaluator:
    """Return the evaluator of whether a package has the same version as on rank 0's node.

    A difference that is not ``decisive`` is a warning.
    """

    def evaluate(subject: Subject) -> Verdict:
        here = subject[CONDITIONS]["environment"]
        if here is None:
            return NOT_DEPLOYED
        own = read(here)
        versions: dict[str | None, list[str]] = {}
        for node in subject.situation.nodes:
            there = _environment_of(subject, node)
            if there is not None:
                versions.setdefault(read(there), []).append(node.name)
        first = _environment_of(subject, subject.situation.nodes[0])
        if own is not None and (len(versions) <= 1 or (first is not None and own == read(first))):
            return ok(message("preflight.package", "{package} {version}", package=package, version=own))
        if len(versions) <= 1:
            return skip(message("preflight.package-nowhere", "no node has {package}", package=package))
        others = [_installed(version, nodes) for version, nodes in versions.items() if version != own]
        remedy = message(
            "preflight.package-differs.remedy",
            "pin {package} in the project's dependencies (uv.lock), then deploy again (dtui deploy)",
            package=package,
        )
        if own is None:
            return fail(
                message(
                    "preflight.package-missing",
                    "{package} is missing, but {others}",
                    package=package,
                    others=others,
                ),
                remedy,
            )
        seen = message(
            "preflight.package-differs",
            "{package} {version}, but {others}",
            package=package,
            version=own,
            others=others,
        )
        return fail(seen, remedy) if decisive else warn(seen, remedy)

    return evaluate


def _installed(version: str | None, nodes: list[str]) -> Message:
    if version is None:
        return message("preflight.package-none", "none on {nodes}", nodes=fold(nodes))
    return message("preflight.package-other", "{version} on {nodes}", version=version, nodes=fold(nodes))


def python_of(environment: EnvironmentFacts) -> str | None:
    """Return major and minor version of the training Python."""
    return ".".join(environment["python"].split(".")[:2]) or None


def package_of(name: str) -> Callable[[EnvironmentFacts], str | None]:
    """Return a reader of a package's version without its local part: CUDA builds may differ."""

    def read(environment: EnvironmentFacts) -> str | None:
        version = environment["packages"].get(name)
        return version.split("+")[0] if version else None

    return read


def torch_of(subject: Subject) -> TorchFacts | None:
    """Return the facts about the deployed torch, None without one."""
    environment = subject[CONDITIONS]["environment"]
    return None if environment is None else environment["torch"]


def backend(subject: Subject) -> Verdict:
    """Evaluate whether torch has the plan's backend, gloo or nccl, and a process group of one starts."""
    torch, node = torch_of(subject), subject.node
    if torch is None:
        return TORCH_NOT_DEPLOYED
    if torch["error"] is not None:
        seen = message("preflight.torch-broken", "torch does not load: {error}", error=torch["error"])
        if subject.on_windows:
            remedy = message(
                "preflight.torch-broken-windows.remedy",
                "reinstall torch on {node}, or install the Visual C++ runtime",
                node=node.name,
            )
        else:
            remedy = message("preflight.torch-broken.remedy", "reinstall torch on {node}", node=node.name)
        return fail(seen, remedy)
    result = plan_of(subject)
    wanted = result.backend if isinstance(result, RunPlan) else "gloo"
    version = torch["version"] or ""
    if not torch["nccl" if wanted == "nccl" else "gloo"]:
        return _missing_backend(wanted, version, windows=subject.on_windows)
    if subject.on_windows and subject.env.get("USE_LIBUV", "0") != "0":
        return fail(
            message(
                "preflight.backend-libuv",
                "USE_LIBUV={value}, but torch for Windows is built without libuv",
                value=subject.env["USE_LIBUV"],
            ),
            message(
                "preflight.backend-libuv.remedy",
                "remove USE_LIBUV from `env` of the inventory: dtui sets it to 0",
            ),
        )
    trial = subject[TRIAL]["found"]
    started = None if trial is None else trial["backend"]
    if started and started != "works":
        return fail(
            message(
                "preflight.backend-broken", "{backend} cannot start: {error}", backend=wanted, error=started
            ),
            message(
                "preflight.backend-broken.remedy",
                "set `interface` of {node} to the adapter that leads to the master (see `adapter`)",
                node=node.name,
            ),
        )
    seen = message("preflight.backend", "{backend} in torch {version}", backend=wanted, version=version)
    if started:
        seen = message("preflight.backend-started", "{backend}, test process group started", backend=seen)
    return ok(seen)


def _missing_backend(wanted: str, version: str, *, windows: bool) -> Verdict:
    if windows and wanted == "gloo" and version.startswith(_WITHOUT_GLOO):
        return fail(
            message(
                "preflight.backend-without-gloo",
                "torch {version} is built without gloo, like all of torch 2.8 to 2.10 for Windows",
                version=version,
            ),
            message(
                "preflight.backend-without-gloo.remedy", "install torch 2.7.1 or older, or 2.11 or newer"
            ),
        )
    if wanted == "nccl":
        return fail(
            message(
                "preflight.backend-without-nccl", "torch {version} is built without NCCL", version=version
            ),
            message(
                "preflight.backend-without-nccl.remedy",
                "install a CUDA build of torch, or set `run: {{backend: gloo}}` in nodes.yaml",
            ),
        )
    return fail(
        message(
            "preflight.backend-missing",
            "torch {version} is built without {backend}",
            version=version,
            backend=wanted,
        ),
        message("preflight.backend-missing.remedy", "install another build of torch"),
    )


def is_untouched(subject: Subject) -> bool:
    """Return whether the node has neither a deploy nor a project folder of another origin."""
    conditions, master = subject[CONDITIONS], subject.situation.inventory.master
    return subject.node.name != master.name and not conditions["deployed"] and not conditions["environment"]


def _environment_of(subject: Subject, node: Node) -> EnvironmentFacts | None:
    found = subject.of(node.name, CONDITIONS)
    return None if found is None else found["environment"]


CHECKS: Final = (
    Check("environment", message("check.environment", "training Python"), "environment",
          message("check.environment.why", "it runs the ranks"),
          (CONDITIONS,), environment),
    Check("python-same", message("check.python-same", "same Python"), "environment",
          message("check.python-same.why", "checkpoints and messages are pickled between ranks"),
          (CONDITIONS,), same("Python", python_of, decisive=False), "fleet"),
    Check("torch", message("check.torch", "same torch"), "environment",
          message("check.torch.why", "different versions of torch are incompatible"),
          (CONDITIONS,), same("torch", package_of("torch")), "fleet"),
    Check("accelerate", message("check.accelerate", "same accelerate"), "environment",
          message("check.accelerate.why", "different versions initialise a run differently"),
          (CONDITIONS,),
          same("accelerate", package_of("accelerate"), decisive=False), "fleet"),
    Check("backend", message("check.backend", "backend"), "environment",
          message("check.backend.why", "torch must contain gloo or NCCL, and it must start"),
          (FACTS, CONDITIONS, TRIAL), backend, "fleet"),
)  # fmt: skip
