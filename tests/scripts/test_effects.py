"""What the scripts change is what preflight looks for, and what the documents tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from fleet.facts import NodeFacts
from fleet.inventory import Inventory, default_master, parse_inventory
from fleet.inventory.model import DEFAULT_PORT
from fleet.preflight.catalog import DEFAULT_PORTS
from fleet.preflight.check import Situation, Subject
from fleet.preflight.checks import settings
from fleet.preflight.fixes import FixContext, fixes_for
from fleet.preflight.observations import FACTS, ObservationStore
from fleet.preflight.observers.outside import services_of
from tests.scripts.reading import ENTRIES, ROOT, SCRIPTS, effects, parameters, text
from tests.support import wire
from transports.base import Endpoint
from transports.winrm.options import read_options
from tui.cli.main import build_parser

DOCUMENTS = ("README.md", "README.ko.md", "docs/guide.md", "docs/guide.ko.md", "docs/old-guide-map.md")


def spans(rules: list[dict[str, Any]], transports: set[str]) -> set[int]:
    ports: set[int] = set()
    for rule in rules:
        if rule["ports"] not in ("", "dynamic") and rule.get("transport", "both") in transports:
            first, _, last = rule["ports"].partition("-")
            ports.update(range(int(first), int(last or first) + 1))
    return ports


@pytest.mark.parametrize("transport", ["ssh", "winrm", "auto"])
def test_the_worker_opens_the_doors_that_preflight_probes(transport: str) -> None:
    worker = replace(default_master(ROOT), name="w", address="192.168.1.101", transport=transport)
    wanted = {probe["port"] for probe in services_of(worker)}
    chosen = {"ssh", "winrm", "both"} if transport == "auto" else {transport, "both"}
    assert spans(effects("worker_setup")["firewall"], chosen) == wanted | set(DEFAULT_PORTS)


@pytest.mark.parametrize(("name", "prefix"), [("worker_setup", "dtui-"), ("master_setup", "dtui-master-")])
def test_ranks_reach_the_rendezvous_and_ports_of_the_systems_choice(name: str, prefix: str) -> None:
    rules = effects(name)["firewall"]
    rendezvous = [rule for rule in rules if rule["name"] == f"{prefix}rendezvous"]
    assert spans(rendezvous, {"both"}) == set(DEFAULT_PORTS)
    assert DEFAULT_PORT in DEFAULT_PORTS
    assert [rule["name"] for rule in rules if rule["ports"] == "dynamic"] == [f"{prefix}ranks"]
    assert [rule["name"] for rule in rules if rule["protocol"] == "ICMPv4"] == [f"{prefix}ping"]
    assert [rule["name"] for rule in rules if rule["protocol"] == "ICMPv6"] == [f"{prefix}ping6"]


def test_the_two_roles_of_one_machine_share_no_rule() -> None:
    worker, master = (
        {rule["name"] for rule in effects(f"{role}_setup")["firewall"]} for role in ("worker", "master")
    )
    assert not worker & master


def test_the_master_opens_nothing_but_what_the_workers_ranks_need() -> None:
    assert spans(effects("master_setup")["firewall"], {"both"}) == set(DEFAULT_PORTS)


def test_the_listener_is_the_https_service() -> None:
    worker = replace(default_master(ROOT), name="w", address="192.168.1.101", transport="winrm")
    listeners = [(entry["scheme"].lower(), entry["port"]) for entry in effects("worker_setup")["listeners"]]
    probed = {(probe["scheme"], probe["port"]) for probe in services_of(worker)}
    assert set(listeners) <= probed


def test_the_services_are_those_of_the_two_transports() -> None:
    services = effects("worker_setup")["services"]
    assert {entry["name"]: entry["transport"] for entry in services} == {"WinRM": "winrm", "sshd": "ssh"}
    assert {entry["start"] for entry in services} == {"Automatic"}


def test_preflight_is_content_with_a_machine_that_was_set_up_and_warns_about_one_that_was_not() -> None:
    changed = effects("worker_setup")
    numbers = {entry["name"]: entry["value"] for entry in changed["registry"]}
    minutes = {entry["name"]: entry["minutes"] for entry in changed["power"]}
    after = {
        "long_paths": bool(numbers["LongPathsEnabled"]),
        "execution_policy": changed["execution_policy"],
        "power": {
            "plan": "High performance",
            "sleep_minutes_ac": minutes["standby-timeout-ac"],
            "hibernate_minutes_ac": minutes["hibernate-timeout-ac"],
        },
    }
    before = {
        "long_paths": False,
        "execution_policy": "Restricted",
        "power": {"plan": "Power saver", "sleep_minutes_ac": 30, "hibernate_minutes_ac": 180},
    }
    evaluators = (settings.long_paths, settings.execution_policy, settings.power, settings.sleep)
    assert [evaluate(subject(wire.facts(**after))).status for evaluate in evaluators] == ["ok"] * 4
    assert [evaluate(subject(wire.facts(**before))).status for evaluate in evaluators] == ["warn"] * 4


def test_what_preflight_mends_is_what_the_script_would_have_set() -> None:
    changed = effects("worker_setup")
    facts = wire.facts(os={"system": "Windows"})
    conditions = wire.conditions(firewall="windows")
    context = FixContext(default_master(ROOT), facts, conditions, {"gpu1": "192.168.1.101"})
    said = {
        fix.checks[0]: fix.shown for fix in fixes_for(context, ["sleep", "long-paths", "execution-policy"])
    }
    for entry in changed["power"]:
        assert f"/change {entry['name']} {entry['minutes']}" in said["sleep"]
    number = next(entry for entry in changed["registry"] if entry["name"] == "LongPathsEnabled")
    assert number["path"].replace("HKLM:", "HKLM") in said["long-paths"]
    assert f"{number['name']} /t REG_DWORD /d {number['value']} " in said["long-paths"]
    assert changed["execution_policy"] in said["execution-policy"]


def test_the_rule_that_preflight_makes_is_the_scripts_and_undo_takes_it_back() -> None:
    facts = wire.facts(os={"system": "Windows"})
    conditions = wire.conditions(firewall="windows")
    context = FixContext(default_master(ROOT), facts, conditions, {"gpu1": "192.168.1.101"})
    (fix,) = fixes_for(context, ["ephemeral"])
    command = fix.commands[0][-1]
    named = set(re.findall(r"-Name (\S+)", command))
    (rule,) = (rule for rule in effects("worker_setup")["firewall"] if rule["ports"] == "dynamic")
    assert named == {rule["name"]}, "two rules would open the same, and only one be taken back"
    assert f"-DisplayName 'dtui: {rule['purpose']}'" in command
    for script in ("worker_setup", "master_setup"):
        undo = text(script).split("if ($Undo) {", 1)[1].split("return", 1)[0]
        assert undo.index("Invoke-Undo") < undo.index("Remove-RestOfGroup -Journals (Get-AllJournals)")
    firewall = (SCRIPTS / "setup" / "firewall.ps1").read_text("ascii")
    (group,) = re.findall(r"-Group (\S+)", command)
    assert f"$RuleGroup = '{group}'" in firewall
    assert f"-ne '{rule['name']}'" in firewall, (
        "-Undo takes away what preflight made, and nothing else of the group"
    )
    assert "group = $RuleGroup" in firewall
    assert "Get-NetFirewallRule -Group $RuleGroup" in firewall
    roles = re.findall(r"^\$Role = '(\w+)'$", text("worker_setup") + text("master_setup"), re.MULTILINE)
    journal = (SCRIPTS / "setup" / "journal.ps1").read_text("ascii")
    assert f"$Roles = @('{roles[0]}', '{roles[1]}')" in journal


def subject(facts: NodeFacts) -> Subject:
    node = default_master(ROOT)
    situation = Situation(Inventory(project=ROOT, master=node), (node,))
    seen = ObservationStore()
    seen.put(node.name, FACTS, facts)
    return Subject(node, situation, seen)


@pytest.mark.parametrize(
    ("option", "word"),
    [
        ("WorkerIPs", "--workers"),
        ("WorkersFile", "--workers-file"),
        ("SkipDeploy", "--skip-deploy"),
        ("ConfigFile", "--config"),
        ("ProjectPath", "--project-path"),
        ("Port", "--port"),
    ],
)
def test_the_old_front_door_hands_its_options_on(option: str, word: str) -> None:
    assert option in parameters("master_deploy")
    body = re.search(r"function Get-UpArguments \{.*?\n\}", text("master_deploy"), re.DOTALL)
    assert body is not None
    # The guard that names the option (or the addresses read from it) comes right before the word.
    tested = "Workers.Count" if option == "WorkerIPs" else option
    assert re.search(rf"if \(\${re.escape(tested)}\b[^\n]*\n[^\n]*'{word}'", body.group(0))


def test_the_words_that_it_hands_on_are_words_of_dtui_up() -> None:
    body = re.search(r"function Get-UpArguments \{.*?\n\}", text("master_deploy"), re.DOTALL)
    assert body is not None
    ours = re.findall(r"'(--[\w-]+)'", body.group(0))
    line = ["up"]
    for word in ours:
        line += [word] if word == "--skip-deploy" else [word, "29500" if word == "--port" else "x"]
    build_parser().parse_args(line)
    assert len(ours) == 6


def test_documents_name_no_option_that_a_script_does_not_have() -> None:
    for document in DOCUMENTS:
        for script, rest in re.findall(r"(\w+)\.ps1([^`\n]*)", (ROOT / document).read_text("utf-8")):
            if script in ENTRIES:
                given = set(re.findall(r" -([A-Z]\w+)", rest))
                common = {"WhatIf", "File", "ExecutionPolicy", "NoProfile"}
                assert given <= parameters(script) | common, f"{document}: {script} {given}"


def test_the_block_that_the_worker_prints_can_be_pasted() -> None:
    body = re.search(r"function Show-NodeBlock \{.*?\n\}", text("worker_setup"), re.DOTALL)
    assert body is not None
    lines = re.findall(r"""Write-Host ["'](  - name.*|    .*)["']$""", body.group(0), re.MULTILINE)
    values = {
        "$name": "'gpu-pc'",
        "$Own": "192.168.1.101",
        "$how": "auto",
        "$user": "'김연구'",
        "$port": "2222",
        "$python": "'C:\\Program Files\\Python311\\python.exe'",
        "$fingerprint": "SHA256:" + "AB" * 32,
    }
    pasted = "\n".join(lines)
    for written, value in sorted(values.items(), key=lambda pair: -len(pair[0])):
        pasted = pasted.replace(written, value)
    assert "$" not in pasted
    (node,) = parse_inventory(f"nodes:\n{pasted}\n", ROOT / "configs" / "nodes.yaml").workers
    assert (node.name, node.address, node.user) == ("gpu-pc", "192.168.1.101", "김연구")
    assert node.python == "C:\\Program Files\\Python311\\python.exe"
    assert dict(node.options)["fingerprint"].startswith("SHA256:AB")
    read_options(Endpoint(node.address, options=node.options))


@pytest.mark.parametrize("name", ENTRIES)
def test_each_parameter_is_explained(name: str) -> None:
    told = set(re.findall(r"^\.PARAMETER (\w+)$", text(name), re.MULTILINE))
    assert told == parameters(name)
