"""Keys in their order: what is typed ahead waits for what the keys before it open."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from textual import events
from textual.app import App
from textual.message_pump import MessagePump


class TypeAhead(App[None]):
    """Hands a key or a paste on only when all that the one before it has caused is done.

    Textual hands a key to the widget that has the focus when it arrives, and the key comes back through the
    queues of the widgets around that one before it acts. Of keys that arrive together, those behind the one
    that opens a prompt or a form would be on their way to the widget below by then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()
        self._key_under_way = False

    async def on_event(self, event: events.Event) -> None:
        """Let a key or a paste wait for the one before it."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._key_under_way:
            self._typed.append(event)
        else:
            await self._hand_on(event)

    async def _hand_on(self, event: events.Key | events.Paste) -> None:
        self._key_under_way = True
        if self.focused is not None and not self.focused.is_attached:
            # A widget that gets the focus in the moment in which it is taken away keeps it, and hands nothing
            # back: no key would act any more, not even the one that leaves.
            self.screen.set_focus(None)
        way = self._way()
        await super().on_event(event)
        # Behind the key first. What its action has sent, to ask the screen for a prompt or to give a new
        # screen its focus, goes the same way, from where the focus is by now.
        self._behind(way, lambda: self._behind(self._way(), self._next))

    async def _next(self) -> None:
        self._key_under_way = False
        if self._typed:
            await self._hand_on(self._typed.popleft())

    def _way(self) -> Sequence[MessagePump]:
        """Return whom a key passes: the widget with the focus and those around it; none at the end."""
        return (self.focused or self.screen).ancestors_with_self[:-1] if self.is_running else ()

    def _behind(self, way: Sequence[MessagePump], then: Callable[[], object]) -> None:
        """Call ``then`` once each on the way, and the app, has dealt with what it has been sent by now."""
        for position, node in enumerate(way):
            # One that is going away takes no more, and has handed on what it had.
            if node.call_later(self._behind, way[position + 1 :], then):
                return
        self.call_later(then)
