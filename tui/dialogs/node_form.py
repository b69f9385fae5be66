"""The form for a new node. Transports add a field for each of their options."""

from __future__ import annotations

from collections.abc import Mapping

from tui.dialogs.form import Field
from tui.i18n import Texts
from tui.operations.interface import Draft
from tui.views import nodes as view


def node_fields(texts: Texts) -> list[Field]:
    """Return the fields; those of a transport's options are shown while the transport is entered."""
    from transports.registry import DEFAULT_TRANSPORT, KINDS

    return [
        Field("name", texts.translate(view.NODE), texts("form.name_hint")),
        Field("address", texts.translate(view.ADDRESS), texts("form.address_hint")),
        Field("transport", texts.translate(view.VIA), " | ".join(KINDS), DEFAULT_TRANSPORT),
        *(
            Field(
                f"{kind.name}-{option.name}",
                f"{kind.name}: {option.name}",
                option.accepted,
                shown_for=("transport", kind.name),
            )
            for kind in KINDS.values()
            for option in kind.options
        ),
        Field("user", texts("form.user"), texts("form.user_hint")),
        Field("gpus", texts.translate(view.GPUS), texts("form.gpus_hint")),
        Field("tags", texts.translate(view.TAGS), texts("form.tags_hint")),
    ]


def draft_of(values: Mapping[str, str]) -> Draft:
    """Return the node for the values of the shown fields."""
    start = f"{values['transport']}-"
    return Draft(
        name=values["name"],
        address=values["address"],
        transport=values["transport"],
        options=tuple(
            (key.removeprefix(start), value)
            for key, value in values.items()
            if key.startswith(start) and value
        ),
        user=values["user"],
        gpus=values["gpus"],
        tags=values["tags"],
    )
