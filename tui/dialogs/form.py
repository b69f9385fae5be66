"""A small form over the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.i18n import Texts
from tui.widgets.plain import PlainLabel, plain_input


class Field(Struct, frozen=True):
    """One field: its key, label, hint and initial value.

    ``shown_for`` is the key of another field and its value for which this field is shown.
    """

    key: str
    label: str
    hint: str = ""
    value: str = ""
    secret: bool = False
    shown_for: tuple[str, str] | None = None


class FormScreen(ModalScreen[None]):
    """Asks for a few values; Enter moves to the next field and saves in the last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", show=False),
        Binding("ctrl+s", "save", show=False),
        # Before the field gets it, so that what is typed ahead lands in the field that it is meant for.
        Binding("enter", "next", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    FormScreen { align: center middle; background: $background 60%; }
    FormScreen #box { width: 68; max-width: 90%; height: auto; max-height: 100%; padding: 1 2; }
    FormScreen #box { border: round $primary; background: $surface; }
    FormScreen .title { color: $primary; text-style: bold; margin-bottom: 1; }
    FormScreen .label { color: $foreground 62%; }
    FormScreen Input { border: none; height: 1; padding: 0 1; background: $panel; margin-bottom: 1; }
    FormScreen Input:focus { border: none; background: $primary 20%; }
    FormScreen #fault { color: $error; height: auto; }
    FormScreen #keys { color: $foreground 62%; }
    FormScreen.-short #box { padding: 0 2; }
    FormScreen.-short .title, FormScreen.-short Input { margin-bottom: 0; }
    """

    VERTICAL_BREAKPOINTS = [(0, "-short"), (28, "-tall")]  # noqa: RUF012  as in Textual's class

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        save: Callable[[dict[str, str]], str | None],
        texts: Texts,
        *,
        give_up: Callable[[], object] | None = None,
        ask: Callable[[dict[str, str], Callable[[], object]], object] | None = None,
    ) -> None:
        """``save`` returns a fault; ``ask`` gets the values and what to call when they may be saved."""
        super().__init__()
        self._heading = title
        self._fields_of = fields
        self._save = save
        self._texts = texts
        self._give_up = give_up
        self._ask = ask

    def compose(self) -> ComposeResult:
        """Lay out labels and fields."""
        with VerticalScroll(id="box", can_focus=False):
            yield PlainLabel(self._heading, classes="title")
            for field in self._fields_of:
                yield PlainLabel(field.label, id=f"label-{field.key}", classes="label")
                entry = plain_input(
                    field.value, placeholder=field.hint, password=field.secret, id=f"field-{field.key}"
                )
                entry.cursor_blink = False
                yield entry
            yield PlainLabel(id="fault")
            yield PlainLabel(self._texts("form.keys"), id="keys")

    def on_mount(self) -> None:
        """Hide the fields that depend on a value of another field."""
        self._show_fields()

    def on_input_changed(self) -> None:
        """Show the fields for the changed value."""
        self._show_fields()

    def _show_fields(self) -> None:
        for field in self._fields_of:
            if field.shown_for is not None:
                key, value = field.shown_for
                shown = self.query_one(f"#field-{key}", Input).value.strip() == value
                self.query_one(f"#label-{field.key}").display = shown
                self.query_one(f"#field-{field.key}").display = shown

    def action_next(self) -> None:
        """Move to the next field, or save after the last, once that has received all its keys."""
        self._show_fields()  # keys typed ahead can arrive before the event of the change
        field = self.focused
        if field is not None and field.id == f"field-{self._fields_of[-1].key}":
            field.call_later(self.action_save)
        else:
            self.focus_next()

    def action_save(self) -> None:
        """Submit the values of the shown fields; the form stays open and shows faults."""
        self._show_fields()
        fields = [(field.key, self.query_one(f"#field-{field.key}", Input)) for field in self._fields_of]
        values = {
            key: field.value if field.password else field.value.strip()
            for key, field in fields
            if field.display
        }

        def save() -> None:
            fault = self._save(values)
            if fault:
                self.query_one("#fault", PlainLabel).show(f"✗ {fault}")
            else:
                self.dismiss()

        if self._ask is not None:
            self._ask(values, save)
        else:
            save()

    def action_dismiss(self, result: None = None) -> None:  # type: ignore[override]
        """Close without an answer."""
        if self._give_up is not None:
            self._give_up()
        self.dismiss(result)
