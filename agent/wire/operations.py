"""Every operation of the agent, by name."""

from __future__ import annotations

from typing import Any, Dict, Type, cast

from agent.wire import deploy, facts, mesh, preflight, runs, telemetry
from agent.wire.operation import Nothing, Operation

NONE = type(None)

#: An environment may take this long to install; its output is bounded by the console.
_INSTALL_SECONDS = 2 * 3600.0

PING = Operation("ping", Nothing, facts.PingResult, upload=object, item=object)
PROBE = Operation("probe", facts.ProbeArgs, facts.Facts, upload=NONE, item=NONE)
ROUTE = Operation("route", facts.RouteArgs, facts.RouteResult, upload=NONE, item=NONE)
TELEMETRY = Operation(
    "telemetry",
    telemetry.TelemetryArgs,
    telemetry.TelemetryResult,
    upload=NONE,
    item=object,  # :mod:`agent.deltas` has samples as differences
    seconds=None,
    silence=None,
)

MANIFEST = Operation(
    "manifest",
    deploy.ManifestArgs,
    deploy.ManifestResult,
    upload=NONE,
    item=deploy.ManifestItem,
    seconds=None,
    silence=45.0,
)
RECEIVE = Operation(
    "receive",
    deploy.ReceiveArgs,
    deploy.ReceiveResult,
    upload=deploy.ReceivePiece,
    item=deploy.WaitItem,
    seconds=None,
    silence=None,
)
PUT = Operation("put", deploy.PutArgs, deploy.PutResult, upload=NONE, item=deploy.WaitItem, seconds=None)
ENVIRONMENT = Operation(
    "environment",
    deploy.EnvironmentArgs,
    deploy.EnvironmentResult,
    upload=NONE,
    item=deploy.OutputItem,
    seconds=_INSTALL_SECONDS,
)
SETUP = Operation(
    "setup",
    deploy.SetupArgs,
    deploy.SetupResult,
    upload=NONE,
    item=deploy.OutputItem,
    seconds=None,
)

START = Operation(
    "start", runs.StartArgs, runs.StartResult, upload=NONE, item=NONE, seconds=55.0, silence=55.0
)
STATUS = Operation(
    "status",
    runs.StatusArgs,
    runs.StatusResult,
    upload=NONE,
    item=runs.StatusItem,
    seconds=None,
    silence=None,
)
STOP = Operation("stop", runs.StopArgs, runs.StopResult, upload=NONE, item=NONE, seconds=None, silence=None)
FOLLOW = Operation(
    "follow",
    runs.FollowArgs,
    runs.FollowResult,
    upload=NONE,
    item=runs.FollowItem,
    seconds=None,
    silence=None,
)
STACKS = Operation("stacks", runs.StacksArgs, Nothing, upload=NONE, item=runs.RankStacks, seconds=30.0)
SWEEP = Operation(
    "sweep", runs.SweepArgs, runs.SweepResult, upload=NONE, item=NONE, seconds=50.0, silence=50.0
)
#: Large logs on a slow disk take their time.
PRUNE = Operation(
    "prune", runs.PruneArgs, runs.PruneResult, upload=NONE, item=NONE, seconds=300.0, silence=300.0
)

NETPROBE = Operation("netprobe", preflight.NetprobeArgs, preflight.NetprobeResult, upload=NONE, item=NONE)
PORTCHECK = Operation("portcheck", preflight.PortcheckArgs, preflight.PortcheckResult, upload=NONE, item=NONE)
MESH: Operation[runs.NodeArgs, mesh.MeshCommand, mesh.MeshAnswer, Nothing] = Operation(
    "mesh",
    runs.NodeArgs,
    Nothing,
    upload=cast(Type[mesh.MeshCommand], mesh.MeshCommand),
    item=cast(Type[mesh.MeshAnswer], mesh.MeshAnswer),
    seconds=None,
    silence=None,
)
CONDITIONS = Operation("conditions", preflight.ConditionsArgs, preflight.Conditions, upload=NONE, item=NONE)
DIGEST = Operation(
    "digest",
    preflight.DigestArgs,
    preflight.DigestResult,
    upload=NONE,
    item=NONE,
    seconds=50.0,
    silence=50.0,
)
TRIAL = Operation(
    "trial", preflight.TrialArgs, preflight.TrialResult, upload=NONE, item=NONE, seconds=150.0, silence=150.0
)
FIX = Operation(
    "fix", preflight.FixArgs, preflight.FixResult, upload=NONE, item=NONE, seconds=70.0, silence=70.0
)
PROGRAM = Operation(
    "program",
    preflight.ProgramArgs,
    preflight.ProgramResult,
    upload=NONE,
    item=deploy.OutputItem,
    seconds=None,
)
CONFIGCHECK = Operation(
    "configcheck",
    preflight.ConfigcheckArgs,
    preflight.ConfigcheckResult,
    upload=NONE,
    item=NONE,
    seconds=50.0,
    silence=50.0,
)

OPERATIONS: Dict[str, Operation[Any, Any, Any, Any]] = { one.name: one for one in ( PING, PROBE, ROUTE,
TELEMETRY, MANIFEST, RECEIVE, PUT, ENVIRONMENT, SETUP, START, STATUS, STOP, FOLLOW, STACKS, SWEEP, PRUNE,
NETPROBE, PORTCHECK, MESH, CONDITIONS, DIGEST, TRIAL, FIX, PROGRAM, CONFIGCHECK, ) }  # fmt: skip
