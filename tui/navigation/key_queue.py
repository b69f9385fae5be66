"""Keys in their order: what is typed ahead waits for what the keys before it open."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from textual import events

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump


class KeyQueue:
    """Delivers a key or a paste once all effects of the one before it are complete.

    Textual delivers a key to the widget that has the focus when it arrives, and the key returns through
    the queues of the widgets around that one before it acts. Of keys that arrive together, those after the
    one that opens a prompt or a form would already be queued for the widget below by then.
    """

    def __init__(self, app: App[None], deliver: Callable[[events.Event], Awaitable[None]]) -> None:
        """``deliver`` is Textual's own handling of an event."""
        self._app = app
        self._deliver = deliver
        self._waiting: deque[events.Key | events.Paste] = deque()
        self._busy = False

    async def put(self, event: events.Key | events.Paste) -> None:
        """Deliver the event now, or once those before it are done."""
        if self._busy:
            self._waiting.append(event)
        else:
            await self._handle(event)

    async def _handle(self, event: events.Key | events.Paste) -> None:
        self._busy = True
        app = self._app
        if app.focused is not None and not app.focused.is_attached:
            # A widget that gets the focus while it is being removed keeps it, and passes nothing
            # back: no key would act any more, not even the one that leaves.
            app.screen.set_focus(None)
        route = self._route()
        await self._deliver(event)
        # After the key first. What its action has sent, to ask the screen for a prompt or to give a new
        # screen its focus, takes the same route, from where the focus is by now.
        self._call_behind(route, lambda: self._call_behind(self._route(), self._next))

    async def _next(self) -> None:
        self._busy = False
        if self._waiting:
            await self._handle(self._waiting.popleft())

    def _route(self) -> Sequence[MessagePump]:
        """Return what a key passes: the widget with the focus and those around it; nothing at the end."""
        app = self._app
        return (app.focused or app.screen).ancestors_with_self[:-1] if app.is_running else ()

    def _call_behind(self, route: Sequence[MessagePump], then: Callable[[], object]) -> None:
        """Call ``then`` once each widget on the route, and the app, has handled its pending messages."""
        for position, node in enumerate(route):
            # A widget that is being removed accepts no more, and has passed on its messages.
            if node.call_later(self._call_behind, route[position + 1 :], then):
                return
        self._app.call_later(then)
