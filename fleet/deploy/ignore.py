"""Which files stay on the master: the built-in excludes, ``.gitignore`` files and ``.dtuiignore``.

The rules are those of gitignore(5): the last rule that matches decides, ``!`` includes a path again, and
what is in an excluded folder can't be included. The built-in excludes come first, then the ``.gitignore``
files from the outermost folder of the repository inwards, and the project's ``.dtuiignore`` last.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from agent.private import OWN
from fleet.deploy.gitignore import Rule, parse_lines
from fleet.private_files import read_project_file
from transports.regular_files import open_file

IGNORE_FILE = ".dtuiignore"
GIT_IGNORE_FILE = ".gitignore"
#: What no node needs, at any depth: no package can have these names.
TOOLS = (".git", ".hg", ".svn", ".venv", "__pycache__")
#: What runs write, at the top of the project only: packages may have these names too.
OUTPUTS = ("/logs", "/checkpoints", "/wandb", "/outputs", "/runs", "/multirun", "/lightning_logs", "/mlruns")
#: Excluded by default. A project may include one again, for example with ``!logs/``.
EXCLUDED = (*TOOLS, *OUTPUTS)
#: Where an inventory lies unless another place is named. It holds the logins of all nodes; no node needs it.
INVENTORY = "configs/nodes.yaml"
#: A longer file of patterns is not read: no tool writes one.
_MAX_SIZE = 1 << 20

#: What excludes a path: ``tools`` and ``outputs`` are built in, ``inventory`` is a file for no node,
#: ``data`` is the program's data folder.
Excluder = Literal["tools", "outputs", "inventory", "setup", "data", ".gitignore", ".dtuiignore"]


class IgnoreRules:
    """Decides for relative paths with ``/``. ``lines`` are those of the project's ``.dtuiignore``.

    The folder ``data`` is no code. The files ``withheld`` are excluded too, and one that an earlier deploy
    copied is removed from the nodes. Those in ``made`` (folders end with ``/``) are excluded, and stay on the
    nodes. A line such as ``!configs/nodes.yaml`` includes one again. ``above`` are the lines of
    ``.gitignore`` files in the folders around the project, outermost first, each with the project's path in
    that folder.
    """

    def __init__(
        self,
        lines: Iterable[str] = (),
        *,
        tools: Iterable[str] = TOOLS,
        outputs: Iterable[str] = OUTPUTS,
        withheld: Iterable[str] = (INVENTORY,),
        made: Iterable[str] = (),
        ignore_case: bool = False,
        above: Iterable[tuple[str, Iterable[str]]] = (),
        data: str | None = None,
    ) -> None:
        self._fold = str.casefold if ignore_case else str
        self._made = frozenset(self._fold(path) for path in made)
        self._withheld = frozenset(self._fold(path) for path in withheld)
        self._flags = re.IGNORECASE if ignore_case else re.NOFLAG
        self._data = data and self._fold(data)
        self._own = self._parsed(lines)
        self._built_in: tuple[tuple[Excluder, tuple[Rule, ...]], ...] = (
            ("outputs", self._parsed(outputs)),
            ("tools", self._parsed(tools)),
        )
        self._above = [(f"{prefix}/", self._parsed(text)) for prefix, text in above][::-1]
        #: Folder of the project (ending with ``/``, or empty) -> rules of the .gitignore in it.
        self._git: dict[str, tuple[Rule, ...]] = {}

    @classmethod
    def read(
        cls,
        root: Path,
        *,
        withheld: Iterable[str] = (INVENTORY,),
        made: Iterable[str] = (),
        ignore_case: bool = False,
        data: str | None = None,
        outputs: Iterable[str] = (),
    ) -> IgnoreRules:
        """Return the rules of the project in ``root``, without those of ``.gitignore`` files below it.

        ``outputs`` are patterns besides the usual folders. Raises OSError when ``.dtuiignore`` can't be read.
        """
        return cls(
            _own_lines(root),
            outputs=[
                *(pattern for pattern in OUTPUTS if not _has_code(root / pattern.lstrip("/"))),
                *outputs,
            ],
            withheld=withheld,
            made=made,
            ignore_case=ignore_case,
            above=_repository_above(root),
            data=data,
        )

    @classmethod
    def of_data(cls, project: Path | None) -> IgnoreRules:
        """Return the rules of data: the project's ``.dtuiignore``, if the data is in a project.

        Raises OSError.
        """
        lines = _own_lines(project) if project is not None else []
        return cls(lines, tools=(), outputs=(), withheld=(), ignore_case=os.name == "nt")

    def read_folder(self, prefix: str, folder: Path | str) -> None:
        """Add the rules of a folder's ``.gitignore``; the prefix is the folder's path, ending with ``/``.

        Raises OSError.
        """
        self.add_gitignore(prefix, _lines(Path(folder, GIT_IGNORE_FILE)))

    def add_gitignore(self, prefix: str, lines: Iterable[str]) -> None:
        """Add the rules of a ``.gitignore`` file in the folder ``prefix``."""
        rules = self._parsed(lines)
        if rules:
            self._git[prefix] = rules

    def excludes(self, path: str, *, folder: bool) -> bool:
        """Return whether ``path`` itself is excluded; its folders must have been asked about before."""
        return self.excluder(path, folder=folder) is not None

    def excluder(self, path: str, *, folder: bool) -> Excluder | None:
        """Return what excludes ``path`` itself, None when it is deployed."""
        if path == OWN or path.endswith("/" + OWN):
            return "tools"
        if self._data and self._fold(path) == self._data:
            return "data"
        decided = _decide(self._own, path, folder=folder)
        if decided is not None:
            return ".dtuiignore" if decided else None
        if (decided := self._git_excludes(path, folder=folder)) is not None:
            if decided:
                return ".gitignore"
        else:
            for excluder, rules in self._built_in:
                if _decide(rules, path, folder=folder):
                    return excluder
        folded = self._fold(path)
        if (folded + "/" if folder else folded) in self._made:
            return "setup"
        return "inventory" if not folder and folded in self._withheld else None

    def insists_on(self, path: str) -> bool:
        """Return whether a line such as ``!results.json`` in ``.dtuiignore`` includes the file."""
        parts = path.split("/")
        folders = ("/".join(parts[:length]) for length in range(1, len(parts)))
        return _decide(self._own, path, folder=False) is False or any(
            _decide(self._own, folder, folder=True) is False for folder in folders
        )

    def withholds(self, path: str) -> bool:
        """Return whether ``path`` is an inventory that no node may have."""
        return self._fold(path) in self._withheld and _decide(self._own, path, folder=False) is not False

    def excludes_file(self, path: str) -> bool:
        """Return whether the file ``path`` or a folder that contains it is excluded."""
        return self.excluder_of_file(path) is not None

    def excludes_folder(self, path: str) -> bool:
        """Return whether the folder ``path`` or a folder that contains it is excluded."""
        parts = path.split("/")
        folders = ("/".join(parts[: length + 1]) for length in range(len(parts)))
        return any(self.excludes(folder, folder=True) for folder in folders)

    def excluder_of_file(self, path: str) -> Excluder | None:
        """Return what excludes the file ``path`` or a folder that contains it, None when it is deployed."""
        parts = path.split("/")
        for length in range(1, len(parts)):
            if excluder := self.excluder("/".join(parts[:length]), folder=True):
                return excluder
        return self.excluder(path, folder=False)

    def _git_excludes(self, path: str, *, folder: bool) -> bool | None:
        end = path.rfind("/") + 1
        while self._git:
            rules = self._git.get(path[:end])
            if rules is not None:
                decided = _decide(rules, path[end:], folder=folder)
                if decided is not None:
                    return decided
            if not end:
                break
            end = path.rfind("/", 0, end - 1) + 1
        for prefix, rules in self._above:
            decided = _decide(rules, prefix + path, folder=folder)
            if decided is not None:
                return decided
        return None

    def _parsed(self, lines: Iterable[str]) -> tuple[Rule, ...]:
        return parse_lines(lines, self._flags)


def _decide(rules: tuple[Rule, ...], path: str, *, folder: bool) -> bool | None:
    """Return whether the rules exclude the path, None when none of them is about it."""
    for rule in rules:
        if rule.matches(path, folder=folder):
            return not rule.include
    return None


def _has_code(folder: Path) -> bool:
    """Return whether the folder itself contains Python files: it is then code, under any name."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith(".py") and entry.is_file() for entry in entries)
    except OSError:
        return False


def _repository_above(root: Path) -> list[tuple[str, list[str]]]:
    """Return the .gitignore files around a project in a subfolder of a git repository, outermost first."""
    found: list[tuple[str, list[str]]] = []
    folder = root
    while not (folder / ".git").exists():
        if folder.parent == folder:
            return []  # in no repository
        folder = folder.parent
        try:
            lines = _lines(folder / GIT_IGNORE_FILE)
        except OSError:
            lines = []
        found.append((root.relative_to(folder).as_posix(), lines))
    return found[::-1]


def _own_lines(project: Path) -> list[str]:
    try:
        text = read_project_file(project / IGNORE_FILE, _MAX_SIZE).decode("utf-8-sig", "surrogateescape")
        return text.split("\n")
    except FileNotFoundError:
        return []


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of patterns, none when it is not a regular file of a sensible size."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            return []  # git does not follow a link either
        with open_file(path) as file:
            return file.read().decode("utf-8-sig", "surrogateescape").split("\n")
    except FileNotFoundError:
        return []
