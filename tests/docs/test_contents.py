"""What the documents show is true: files are accepted, links have targets, the old guide is mapped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fleet.inventory import parse_inventory
from fleet.preflight.catalog import checks_for
from tests.docs.blocks import DOCUMENTS, ROOT, blocks, links
from trainer.settings_file import load
from tui.cli import exits

GUIDES = [ROOT / "docs" / "guide.md", ROOT / "docs" / "guide.ko.md"]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_the_files_that_the_guide_shows_are_accepted(path: Path, tmp_path: Path) -> None:
    shown = {block.text.splitlines()[0]: block.text for block in blocks(path) if block.language == "yaml"}
    (tmp_path / "configs").mkdir()
    inventory = parse_inventory(shown["# configs/nodes.yaml"], tmp_path / "configs" / "nodes.yaml")
    assert len(inventory.workers) == 2
    config = tmp_path / "configs" / "train_config.yaml"
    config.write_text(shown["# configs/train_config.yaml"], "utf-8")
    assert load(config).accelerate_config.timeout == 1800


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link in links(path):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in headings(target), f"{path.name}: {link}"


#: Documents for users, in both languages; the rest is for those who work on dtui.
TWINS = (
    "exit-codes", "extending", "files", "guide", "keys", "old-guide-map", "preflight", "scaling", "security",
    "transports", "windows-support",
)  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_korean_twins_have_the_same_parts_and_lead_to_each_other(name: str) -> None:
    english, korean = ROOT / "docs" / f"{name}.md", ROOT / "docs" / f"{name}.ko.md"
    assert f"{name}.ko.md" in links(english)
    assert f"{name}.md" in links(korean)
    parts = [len(re.findall(r"^## ", path.read_text("utf-8"), re.MULTILINE)) for path in (english, korean)]
    assert parts[0] == parts[1]


def headings(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a file's headings."""
    found = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


def test_the_numbers_of_the_health_indicators_are_those_of_the_settings() -> None:
    limits = yaml.safe_load((ROOT / "configs" / "telemetry.yaml").read_text("utf-8"))
    for guide in GUIDES:
        rows = [
            line
            for line in guide.read_text("utf-8").splitlines()
            if re.match(r"\| (GPU|network|data|memory|네트워크|데이터|메모리) \|", line)
        ]
        rows = [row for row in rows if "%" in row]
        assert len(rows) == 4
        for row, name in zip(rows, ("gpu", "network", "data", "memory"), strict=True):
            assert re.findall(r"(\d+)%", row)[:2] == [str(limits[name]["warn"]), str(limits[name]["fail"])]


def test_every_exit_code_of_the_command_is_documented() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")
    for code in (exits.DONE, exits.FAILED, exits.USAGE, exits.INTERRUPTED):
        assert f"| {code} |" in text


#: What a reader of the old guide may look for: its steps, options, problems and numbers.
OLD = (
    "Step 1", "Step 2-1", "2-2", "2-3", "2-4", "1-1", "1-2", "방법 A", "방법 B", "방법 C", "3-1", "3-2",
    "Step 4-1", "-MasterIP", "-WorkerIPs", "-WorkersFile", "-SkipDeploy", "-ConfigFile",
    "-ProjectPath", "-Port 29501", "29500-29504", "5985-5986", "29400", "workers.json",
    "accelerate config", "accelerate env", "accelerate launch", "distributed_launch.sh", "tail -f",
    "nvidia-smi", "WandB", "netstat", "ping", "4 x 2 x 4 x 2 = 64", "134217728", "`num_workers` 8",
    "pin_memory", "persistent_workers", "Connection refused", "CUDA out of memory", "Timeout",
    "md5sum", "NCCL timeout", "CUDA OOM", "Process died", "1800", "100, 350, 650, 1200",
    "60, 17, 9, 5", "`save_every` 250", "`max_checkpoints` 10", "95%", "`save_every` 500",
    "`batch_size` 8", "fp16", "Get-Service WinRM", "TrustedHosts", "Test-WSMan", "uv sync",
    "input_text", "label_floorplan", "10 Gbit/s", "InfiniBand", "ROCm", "CUDA 11.8", "30 min",
    "5 min",
)  # fmt: skip


@pytest.mark.parametrize(("name", "minutes"), [("old-guide-map.md", " min"), ("old-guide-map.ko.md", "분")])
def test_the_old_guide_has_its_places(name: str, minutes: str) -> None:
    table = (ROOT / "docs" / name).read_text("utf-8")
    missing = [word for word in OLD if word.replace(" min", minutes) not in table]
    assert missing == []
    empty = [line for line in table.splitlines() if line.startswith("|") and re.search(r"\|\s*\|", line)]
    assert empty == []


def test_checks_that_documents_name_exist() -> None:
    names = {check.name for check in checks_for()}
    text = (ROOT / "docs" / "old-guide-map.md").read_text("utf-8")
    for named in re.findall(r"preflight(?:'s| checks) ((?:`[\w-]+`(?:, )?)+)", text):
        assert set(re.findall(r"`([\w-]+)`", named)) <= names


def test_the_modules_that_the_architecture_page_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:agent|fleet|tui|transports|lab)/[\w/]+(?:\.py|/))`", text)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []
