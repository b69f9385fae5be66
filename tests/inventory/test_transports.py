"""The settings and options of each transport in nodes.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.inventory import Inventory, InventoryError, parse_inventory, save_inventory


def read(text: str, folder: Path = Path("/site")) -> Inventory:
    return parse_inventory(text, folder / "nodes.yaml")


def faults(text: str) -> list[str]:
    with pytest.raises(InventoryError) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]


def test_options_of_another_transport_are_a_fault_with_its_line_and_remedy() -> None:
    text = "nodes:\n  - name: a\n    transport: ssh\n    winrm: {scheme: https}\n"
    assert faults(text) == [
        "/site/nodes.yaml:4:12: nodes[0].winrm: these are options of the transport winrm, and the node uses "
        "ssh; remove `winrm`, or write `transport: winrm`"
    ]


@pytest.mark.parametrize("transport", ["auto", "winrm"])
def test_auto_accepts_the_options_of_the_transports_that_it_tries(transport: str) -> None:
    (node,) = read(
        f"nodes: [{{name: a, transport: {transport}, winrm: {{auth: ntlm, scheme: http}}}}]"
    ).workers
    assert node.options == (("scheme", "http"), ("auth", "ntlm"))


@pytest.mark.parametrize(
    ("transport", "setting", "remedy"),
    [
        ("winrm", "identity: key", "choose a transport that uses it (auto, ssh)"),
        ("local", "user: kim", "choose a transport that uses it (auto, ssh, winrm)"),
        ("local", "port: 22", "choose a transport that uses it (auto, ssh, winrm)"),
    ],
)
def test_a_setting_that_the_transport_does_not_use_is_a_fault(
    transport: str, setting: str, remedy: str
) -> None:
    key = setting.split(":")[0]
    (fault,) = faults(f"nodes:\n  - name: a\n    transport: {transport}\n    {setting}\n")
    assert fault.startswith("/site/nodes.yaml:4:")
    assert f"nodes[0].{key}: the transport {transport} does not use it; remove `{key}`, or {remedy}" in fault


def test_a_fault_of_the_transport_brings_no_further_ones() -> None:
    text = "nodes: [{name: a, transport: telnet, user: kim, winrm: {scheme: https}}]"
    assert len(faults(text)) == 1


def test_a_fault_of_a_node_set_is_reported_once() -> None:
    assert len(faults("nodes: [{name: 'gpu[1-200]', transport: winrm, identity: key}]")) == 1


def test_defaults_and_groups_may_be_for_several_transports() -> None:
    inventory = read(
        "defaults: {user: kim, identity: /key, winrm: {scheme: https, ca: lab.pem}}\n"
        "nodes:\n"
        "  - {name: a, transport: ssh}\n"
        "  - {name: b, transport: winrm}\n"
        "  - {name: c, transport: local, project: /c}\n"
    )
    a, b, c = inventory.workers
    assert (a.user, a.identity, a.options) == ("kim", Path("/key"), ())
    assert (b.user, b.identity) == ("kim", None)
    assert b.options == (("scheme", "https"), ("ca", "/site/lab.pem"))
    assert (c.user, c.identity, c.options) == (None, None, ())


def test_all_options_that_winrm_reads_can_be_written(tmp_path: Path) -> None:
    text = (
        "nodes:\n  - name: a\n    transport: winrm\n"
        "    winrm: {scheme: https, auth: basic, ca: lab.pem, fingerprint: SHA256:AB, python: C:\\py.exe}\n"
    )
    inventory = read(text, tmp_path)
    assert dict(inventory.workers[0].options) == {
        "scheme": "https",
        "auth": "basic",
        "ca": str(tmp_path / "lab.pem"),
        "fingerprint": "SHA256:AB",
        "python": "C:\\py.exe",
    }
    save_inventory(inventory, tmp_path / "nodes.yaml")  # it is read back and compared


def test_nodes_without_a_port_share_a_machine_if_their_folders_differ() -> None:
    text = "nodes: [{name: a, transport: local, project: /a}, {name: b, transport: local, project: /%s}]"
    assert len(read(text % "b").workers) == 2
    (fault,) = faults(text % "a")
    assert "b has the same folder as a" in fault


def test_an_unknown_option_names_the_close_one_and_where_a_known_key_belongs() -> None:
    assert "did you mean 'fingerprint'?" in faults("nodes: [{name: a, winrm: {fingerprnt: x}}]")[0]
    assert "it belongs in winrm" in faults("nodes: [{name: a, scheme: https}]")[0]
