"""The access list of ``.dtui`` on Windows: the user, SYSTEM and Administrators, for what is in it too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.private import access_list
from lab.wine.machine import RELEASES, WindowsMachine
from lab.wine.pythons import WindowsPython

pytestmark = [pytest.mark.wine, pytest.mark.timeout(120)]

#: Makes a folder as an older version left it, claims it twice, and says what its access lists are.
PROGRAM = r"""
import json, os, sys
sys.path.insert(0, sys.argv[1])
from agent import private, windows_security
own = os.path.join(sys.argv[2], ".dtui")
os.makedirs(os.path.join(own, "runs"))
open(os.path.join(own, "runs", "old.json"), "w").close()
before = windows_security.described(own)
private.claim(own)
private.claim(own)
private.make_folders(os.path.join(own, "runs", "r1"))
with open(os.path.join(own, "runs", "r1", "new.json"), "w", opener=private.opener) as file:
    file.write("x")
private.make_folder(os.path.join(sys.argv[2], "fresh"))
names = [own, os.path.join(own, "runs"), os.path.join(own, "runs", "r1"), os.path.join(sys.argv[2], "fresh")]
print(json.dumps({"sid": windows_security.user_sid(), "before": before,
                  "lists": [windows_security.described(name) for name in names]}))
"""


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_the_folder_is_the_users_alone(
    machine: WindowsMachine, release: WindowsPython, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    source, place = (f"Z:{path}".replace("/", "\\") for path in (Path(__file__).parents[2], tmp_path))
    line = f'{machine.python(release)} -I "Z:{program}" "{source}" "{place}"'
    process = machine.run("winrm", line, variables={}, folder="C:\\")
    process.stdin.close()
    output, errors = process.stdout.read(), process.stderr.read()
    assert process.wait() == 0, errors
    told = json.loads(output)
    assert told["sid"].startswith("S-1-5-21-")
    for shown in (told["lists"][0], told["lists"][-1]):
        # Wine keeps an access list as a mode of POSIX, so groups of the list get lost, and nobody is added.
        trustees = {entry.rstrip(")").rpartition(";")[2] for entry in shown.split("(")[1:]}
        assert told["sid"] in trustees, shown
        assert trustees <= {"SY", "BA", told["sid"]}, shown
    # The group stands for Administrators there.
    assert (tmp_path / ".dtui").stat().st_mode & 0o007 == 0
    assert (tmp_path / "fresh").stat().st_mode & 0o007 == 0


def test_the_list_names_three_trustees_and_inherits_nothing_from_above() -> None:
    assert access_list("S-1-5-21-1") == "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-5-21-1)"
