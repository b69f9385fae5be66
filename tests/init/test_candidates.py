"""Which hosts OpenSSH's files offer as workers."""

from __future__ import annotations

from pathlib import Path

from fleet.init import find_candidates

CONFIG = """
# gpu0 is gone
Host gpu1
    HostName 192.168.1.101
    User kim
    Port 2222
    IdentityFile ~/.ssh/lab
Host gpu2 "gpu3"
    HostName=%h.lab
Host git
    HostName git.example.org
    User git
Host behind
    HostName 10.0.0.5
    ProxyJump gpu1
Include more/*.conf
Match host gpu2
    User other
Host *.lab !gpu9.lab
    User lee
Host *
    User everybody
"""

KNOWN = """\
github.com ssh-ed25519 AAAA
192.168.1.101 ssh-ed25519 AAAA
desk,192.168.1.20 ssh-ed25519 AAAA
[192.168.1.30]:2200 ssh-rsa AAAA
|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA
@revoked bad ssh-ed25519 AAAA
*.lab ssh-ed25519 AAAA
localhost,127.0.0.1 ssh-ed25519 AAAA
"""


def test_configured_hosts_come_with_what_their_blocks_say_and_known_ones_once(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.conf").write_text("Host 4090\n  HostName 192.168.1.104\n", "utf-8")
    (tmp_path / "config").write_text(CONFIG, "utf-8")
    (tmp_path / "known_hosts").write_text(KNOWN, "utf-8")
    found = {candidate.name: candidate for candidate in find_candidates(tmp_path)}
    assert list(found) == ["gpu1", "gpu2", "gpu3", "behind", "4090", "desk", "192.168.1.30"]

    gpu1 = found["gpu1"]
    assert (gpu1.address, gpu1.user, gpu1.port) == ("192.168.1.101", "kim", 2222)
    assert gpu1.identity == Path.home() / ".ssh" / "lab"
    assert (found["gpu2"].address, found["gpu2"].user) == ("gpu2.lab", "everybody")
    assert found["behind"].address == "behind", "the jump host is looked up under the alias"
    assert found["4090"].address == "192.168.1.104"
    assert found["desk"].source.endswith("known_hosts")
    assert found["192.168.1.30"].port == 2200


def test_nothing_there_is_nothing_found(tmp_path: Path) -> None:
    assert find_candidates(tmp_path / "none") == ()


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Include config\nHost gpu1\n", "utf-8")
    assert [candidate.name for candidate in find_candidates(tmp_path)] == ["gpu1"]
