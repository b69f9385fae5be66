"""The controller's side: serves clients and keeps their runs."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

from agent.wire.message import EMPTY, Message, message
from fleet.controller.address import Listener
from fleet.controller.wire import (
    Adopt,
    Adopted,
    Connection,
    Hello,
    Prepare,
    Ready,
    Refused,
    Retire,
    Welcome,
    WireError,
)
from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.internal_errors import internal_error
from fleet.runs.keeper import AttemptEnded, keep_to_end
from fleet.runs.options import LaunchOptions
from fleet.runs.record.lock import lock_record
from fleet.secrets import Secret
from transports.base import Endpoint, Prompts

#: Seconds without a run after which the controller ends.
IDLE = 600.0
_POLL_INTERVAL = 1.0
#: Seconds in which a client has to introduce itself, and in which the nodes have to be connected.
_HELLO_SECONDS = 10.0
_CONNECT_SECONDS = 240.0
#: Connections at once: each console and command has one.
_MAX_CLIENTS = 64

#: Returns the prompts of a login, given the passwords of a client.
MakePrompts = Callable[[Mapping[Endpoint, str]], Prompts]


class _KeptRun:
    """A run that is being kept, and what has ended so far."""

    def __init__(self) -> None:
        self.ended: list[AttemptEnded] = []
        self.over = False
        self.changed = asyncio.Condition()

    async def add(self, ended: AttemptEnded | None) -> None:
        """Add an attempt that has ended; None: nothing follows."""
        async with self.changed:
            if ended is None:
                self.over = True
            else:
                self.ended.append(ended)
            self.changed.notify_all()

    async def at(self, number: int) -> AttemptEnded | None:
        """Wait for the end of an attempt; None when there is no such attempt."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.over or len(self.ended) > number)
        return self.ended[number] if len(self.ended) > number else None


class Controller:
    """Keeps the runs of the project whose ``.dtui`` is ``home``."""

    def __init__(self, home: Path, *, version: str, make_prompts: MakePrompts, idle: float = IDLE) -> None:
        self._home = home
        self._version = version
        self._make_prompts = make_prompts
        self._idle = idle
        self._kept: dict[str, _KeptRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients = 0
        self._token = ""
        self._retired = False
        #: The project's lock and listener, which another version of dtui takes over.
        self._held = ExitStack()

    async def serve(self) -> bool:
        """Serve until there has been nothing to do for a while; False if another controller does already."""
        lock = lock_record(self._home / "controller.lock")
        if lock is None:
            return False
        with self._held:
            self._held.callback(lock.close)
            async with Listener(self._home, self._serve) as listener:
                self._held.callback(listener.close)
                self._token = listener.token
                await self._until_idle()
        for task in self._tasks:
            task.cancel()
        return True

    async def _until_idle(self) -> None:
        """Return when nothing was kept for a while, after retirement, or without the project."""
        clock = asyncio.get_running_loop().time
        idle_since = clock()
        while self._home.is_dir():
            await asyncio.sleep(_POLL_INTERVAL)
            if self._tasks or self._clients:
                idle_since = clock()
            elif self._retired or clock() - idle_since >= self._idle:
                return

    async def _serve(self, connection: Connection) -> None:
        if self._clients >= _MAX_CLIENTS:
            await connection.close()
            return
        self._clients += 1
        try:
            await self._talk(connection)
        except (WireError, OSError, TimeoutError):
            pass  # the client has gone, or is none
        except Exception as error:  # noqa: BLE001 -- other clients go on
            internal_error(error, "serving a client of the run controller")
        finally:
            self._clients -= 1
            await connection.close()

    async def _talk(self, connection: Connection) -> None:
        async with asyncio.timeout(_HELLO_SECONDS):
            hello: Hello = await connection.receive(Hello)
        if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            return
        await connection.send(Welcome(version=self._version))
        request: Prepare | Retire = await connection.receive(Prepare | Retire)
        if isinstance(request, Retire):
            self._retired = True
            self._held.close()  # the client starts the next one when this connection ends
            return
        async with AsyncExitStack() as stack:
            fleet = Fleet(
                request.inventory, home=self._home, prompts=self._make_prompts(dict(request.passwords))
            )
            await stack.enter_async_context(fleet)
            refusal = await _connected(fleet, request.nodes)
            if refusal is not None:
                await connection.send(refusal)
                return
            await connection.send(Ready())
            adopt: Adopt = await connection.receive(Adopt)
            kept = self._adopt(fleet, adopt, stack.pop_all())
        await connection.send(Adopted())
        await _report(kept, connection)

    def _adopt(self, fleet: Fleet, adopt: Adopt, stack: AsyncExitStack) -> _KeptRun:
        """Keep a run until it has ended for good; another client may ask for the same."""
        run = adopt.plan.run
        known = self._kept.get(run)
        if known is not None:
            self._start(stack.aclose())
            return known
        kept = self._kept[run] = _KeptRun()
        self._start(self._keep(fleet, adopt, kept, stack))
        return kept

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, fleet: Fleet, adopt: Adopt, kept: _KeptRun, stack: AsyncExitStack) -> None:
        launching = LaunchOptions(
            grace=adopt.grace,
            max_restarts=adopt.max_restarts,
            secrets={name: Secret(value) for name, value in adopt.secrets.items()},
        )
        try:
            async with stack:
                attempts = keep_to_end(
                    fleet, adopt.plan, launching, adopt.limits.watch_options(), adopt.attempt
                )
                async for ended in attempts:
                    await kept.add(ended)
        except FleetError as error:
            await kept.add(AttemptEnded(run=adopt.plan.run, error=error.what))
        except Exception as error:  # noqa: BLE001 -- other runs go on
            what = internal_error(error, f"keeping run {adopt.plan.run}")
            await kept.add(AttemptEnded(run=adopt.plan.run, error=what))
        finally:
            del self._kept[adopt.plan.run]
            with suppress(asyncio.CancelledError):
                await kept.add(None)


async def _report(kept: _KeptRun, connection: Connection) -> None:
    """Send what ends, until nothing follows or the client has gone."""
    gone: asyncio.Task[Retire] = asyncio.create_task(connection.receive(Retire))
    try:
        number = 0
        while True:
            ending = asyncio.create_task(kept.at(number))
            await asyncio.wait([gone, ending], return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                ending.cancel()
                return
            ended = ending.result()
            if ended is None:
                return
            await connection.send(ended)
            number += 1
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError, WireError):
            await gone


async def _connected(fleet: Fleet, names: tuple[str, ...]) -> Refused | None:
    """Connect to the nodes; return why the run of these nodes can't be kept."""

    async def connect(name: str) -> Refused | None:
        try:
            await fleet.link(fleet.inventory.node(name))
        except FleetError as error:
            reason: Message = message("controller.no-login", "{node}: {reason}", node=name, reason=error.what)
            return Refused(reason=reason, remedy=error.remedy)
        except KeyError:
            unknown = message("controller.unknown-node", "{node} is not in the inventory", node=name)
            return Refused(reason=unknown, remedy=EMPTY)
        return None

    async with asyncio.timeout(_CONNECT_SECONDS):
        found = await asyncio.gather(*(connect(name) for name in names))
    return next((refusal for refusal in found if refusal is not None), None)
