"""`dtui worker-script`: what it writes, refuses and says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker_script.test_public_key import ED25519
from tui.cli.main import main

GIVEN = ("worker-script", "--master", "192.168.1.100", "--workers", "192.168.1.[101-102],fd00:0:0::0100")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # These two change this process for good.
    monkeypatch.setattr("tui.cli.main.prepare_streams", lambda: None)
    monkeypatch.setattr("tui.cli.main.end_as_interrupted", lambda: None)


def written() -> str:
    return Path("dtui_worker.ps1").read_text("ascii")


def test_one_file_with_the_addresses_in_their_usual_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--public-key", ED25519]) == 0
    assert "$MasterIP = '192.168.1.100'," in written()
    assert "$ClusterIPs = @('192.168.1.101', '192.168.1.102', 'fd00::100')," in written()
    assert f"$PublicKey = '{ED25519}'," in written()
    said = capsys.readouterr()
    assert said.out == "dtui_worker.ps1\n"
    assert 'powershell -NoProfile -ExecutionPolicy Bypass -File "dtui_worker.ps1"' in said.err


def test_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--lang", "ko"]) == 0
    assert "관리자" in capsys.readouterr().err


def test_its_own_file_is_replaced_and_another_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN]) == 0
    assert main(["worker-script", "--master", "10.0.0.1", "--workers", "10.0.0.2"]) == 0
    assert "10.0.0.2" in written()
    Path("dtui_worker.ps1").write_text("# mine\n", "ascii")
    assert main([*GIVEN]) == 2
    assert "--force" in capsys.readouterr().err
    assert written() == "# mine\n"
    assert main([*GIVEN, "--force"]) == 0
    assert "192.168.1.101" in written()


def test_the_master_is_no_worker() -> None:
    assert main(["worker-script", "--master", "10.0.0.1", "--workers", "10.0.0.1,10.0.0.2"]) == 0
    assert "$ClusterIPs = @('10.0.0.2')," in written()


@pytest.mark.parametrize(
    "address",
    [
        "gpu1", "192.168.1", "192.168.1.300", "192.168.010.001", "192.168.1.0/24", "*", "Any", "LocalSubnet",
        "0.0.0.0", "0.0.0.1", "255.255.255.255", "240.0.0.1", "127.0.0.1", "::1", "::", "::/0",
        "[2001:db8::1]",
        "224.0.0.1", "ff02::1", "::ffff:0.0.0.0", "fe80::1%eth0", "192.168.1.101:22", "10.0.0.1'; calc",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["--master", "--workers"])
def test_what_is_not_the_address_of_one_other_machine_is_refused(
    option: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"--master": "192.168.1.100", "--workers": "192.168.1.101", option: address}
    assert main(["worker-script", *(word for pair in words.items() for word in pair)]) == 2
    assert "dtui: " in capsys.readouterr().err
    assert not Path("dtui_worker.ps1").exists()


def test_all_faults_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--master", "node0", "--workers", "node1,10.0.0.300", "--public-key", "nothing"]
    assert main(["worker-script", *words]) == 2
    said = capsys.readouterr().err
    assert all(part in said for part in ("node0", "10.0.0.300", "nothing"))
