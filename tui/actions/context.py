"""What the screen of a mode is given."""

from __future__ import annotations

from msgspec import Struct

from tui.actions.availability import Availability
from tui.actions.fleet_actions import FleetActions
from tui.dialogs.dialogs import Dialogs
from tui.navigation.navigation import Navigation
from tui.state.session import Session


class ScreenContext(Struct, frozen=True):
    """The parts of the app that a mode's screen works with."""

    session: Session
    navigation: Navigation
    dialogs: Dialogs
    fleet_actions: FleetActions
    availability: Availability
