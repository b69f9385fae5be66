"""Variables that a node reports of its login are shown, and nothing else happens with them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.plan import plan_run
from tests.plan.fleets import facts, inventory, worker


@given(
    st.dictionaries(st.text(max_size=300), st.none() | st.text(max_size=600), max_size=30),
    st.dictionaries(
        st.sampled_from(["HF_HOME", "NCCL_X" * 60, "UV_\n", "PYTHONPATH"]),
        st.text("a\x1b\u202e$`'\"\n", max_size=600),
    ),
)
def test_they_become_no_variable_and_no_text_that_a_terminal_obeys(
    login: dict[str, str | None], known: dict[str, str]
) -> None:
    told = {
        "master": facts("192.168.1.100"),
        "gpu1": facts("192.168.1.101") | {"login": {**login, **known}},
    }
    plan = plan_run(inventory(worker("gpu1", "192.168.1.101")), told, run_id="r1")
    plain = plan_run(
        inventory(worker("gpu1", "192.168.1.101")), told | {"gpu1": facts("192.168.1.101")}, run_id="r1"
    )
    assert plan.nodes == plain.nodes
    notes = [note for note in plan.notes if note not in plain.notes]
    assert len(notes) <= 12
    assert all(len(note) < 700 and note.isprintable() for note in notes)
