from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transports.base import Endpoint
from transports.registry import KINDS, open_transport


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_there(kind: str, tmp_path: Path) -> None:
    transport = open_transport(kind, Endpoint("127.0.0.1", 22, "kim"), known_hosts=tmp_path / "known_hosts")
    assert transport.endpoint.host == "127.0.0.1"


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'telnet'.*local, ssh, winrm"):
        open_transport("telnet", Endpoint("127.0.0.1"), known_hosts=tmp_path / "known_hosts")


def test_a_local_transport_loads_no_ssh() -> None:
    code = """
import sys
from pathlib import Path
from transports.base import Endpoint
from transports.registry import open_transport
open_transport("local", Endpoint("localhost"), known_hosts=Path("x"))
print([name for name in ("asyncssh", "winrm") if name in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
