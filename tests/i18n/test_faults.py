"""Faults of the user's files in Korean: each with its place, its cause and its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.errors import FleetError
from fleet.inventory import FaultsError, from_addresses, parse_inventory
from fleet.nodeset import NodeSetError, select
from tui.i18n import Texts


def said(text: str) -> list[str]:
    with pytest.raises(FaultsError) as caught:
        parse_inventory(text, Path("nodes.yaml"))
    return Texts("ko").translate(caught.value.what).splitlines()


def test_each_fault_of_an_inventory_is_translated_with_its_place() -> None:
    text = """\
run:
  prot: 29501
nodes:
  - name: gpu[1-8]
    address: 192.168.1.[101-107]
    port: 99999
  - name: gpu[1-
    transport: [ssh]
"""
    assert said(text) == [
        "nodes.yaml:2:3: run.prot: 알 수 없는 키입니다: prot. 혹시 port입니까?",
        "nodes.yaml:5:14: nodes[0].address: 이름은 8개(gpu[1-8])인데 주소는 7개(192.168.1.[101-107])입니다. "
        "이름과 같은 수의 주소를 적으세요",
        "nodes.yaml:6:11: nodes[0].port: 포트가 1~65535 범위를 벗어났습니다. 현재 값: 99999",
        "nodes.yaml:7:11: nodes[1].name: 괄호가 맞지 않습니다: gpu[1-",
        "nodes.yaml:8:16: nodes[1].transport: 다음 중 하나여야 합니다: auto, local, ssh, winrm. "
        "현재 값: 목록",
    ]


@pytest.mark.parametrize(
    ("text", "korean"),
    [
        ("nodes: [\n", "YAML 문법 오류: 닫히지 않은 괄호가 있습니다. 괄호를 닫으세요"),
        ("nodes: *x\n", "별칭 x가 정의되어 있지 않습니다. *로 시작하는 값은 따옴표로 감싸세요"),
        ("nodes:\x07\n", "YAML에는 제어 문자 '\\x07'을(를) 쓸 수 없습니다. 그 문자를 지우세요"),
        # What dtui does not know of PyYAML stays as PyYAML words it.
        ("%YAML 3.0\n---\na: 1\n", "YAML 문법 오류: found incompatible YAML document"),
    ],
)
def test_yaml_syntax_is_explained_in_korean_where_it_is_known(text: str, korean: str) -> None:
    (line,) = said(text)
    assert line.split(": ", 1)[1].startswith(korean)


def test_a_single_fault_without_a_place_is_translated() -> None:
    with pytest.raises(FleetError) as caught:
        from_addresses(["10.0.0.256"], project=Path())
    assert Texts("ko").translate(caught.value.what) == (
        "workers: 10.0.0.256: IPv4 주소가 아닙니다. 0부터 255까지의 숫자 네 개를 적으세요"
    )


def test_every_unknown_node_of_a_selection_is_translated() -> None:
    with pytest.raises(NodeSetError) as caught:
        select("gpu3,@lab", {"gpu1": ("lad",), "gpu2": ()})
    assert Texts("ko").translate(caught.value.message) == (
        "노드를 찾을 수 없습니다: gpu3 (혹시 gpu2?). 태그 lab이 있는 노드를 찾을 수 없습니다 (혹시 @lad?)"
    )
