"""Keeps the translation files (``tui/i18n/ko/*.po``) in step with the messages in the sources.

``python scripts/translations.py`` adds new messages without a translation, marks a translation as fuzzy when
its English has changed, and drops what no longer exists. With ``--check`` it changes nothing, lists what is
to do, and exits with 1 if there is anything.

A message is a call ``message("id", "template", ...)``, a label of ``tui/i18n/en.py``, or a rule of
``configs/diagnosis/``.
"""

from __future__ import annotations

import argparse
import ast
import string
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polib

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "tui" / "i18n" / "ko"
#: Packages whose sources have messages for the user.
PACKAGES = ("agent", "transports", "fleet", "tui")
#: Packages whose subpackages have a file of their own.
_SPLIT = ("fleet", "tui")
_LABELS = "labels"
_DIAGNOSIS = "diagnosis"
_HEADER = {
    "Project-Id-Version": "dtui",
    "Language": "ko",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=1; plural=0;",
}


class Found(NamedTuple):
    """A message in the sources; ``file`` is the catalogue's file that it belongs to, without ``.po``."""

    id: str
    template: str
    file: str
    source: str


def messages() -> list[Found]:
    """Return every message of the sources, one per place; labels only where they have words.

    A message without words, such as ``{place}: {what}``, is in the catalogue for the messages within it.
    """
    return [*_in_calls(), *(one for one in (*_labels(), *_rules()) if _has_words(one.template))]


def _in_calls() -> Iterator[Found]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            where = path.relative_to(ROOT)
            split = package in _SPLIT and len(where.parts) > 2
            for id_, template in calls(path.read_text("utf-8")):
                yield Found(id_, template, where.parts[1] if split else package, where.as_posix())


def calls(source: str) -> Iterator[tuple[str, str]]:
    """Yield id and template of each call of ``message`` with literals."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) != 2:
            continue
        if getattr(node.func, "id", getattr(node.func, "attr", "")) != "message":
            continue
        id_, template = node.args
        if isinstance(id_, ast.Constant) and isinstance(template, ast.Constant):
            yield str(id_.value), str(template.value)


def _labels() -> Iterator[Found]:
    from tui.i18n import LABEL
    from tui.i18n.en import TEXTS

    for key, text in TEXTS.items():
        yield Found(f"{LABEL}{key}", text, _LABELS, "tui/i18n/en.py")


def _rules() -> Iterator[Found]:
    from fleet.diagnose.rules import shipped_templates

    for id_, template in shipped_templates():
        yield Found(id_, template, _DIAGNOSIS, "configs/diagnosis")


def names_in(template: str) -> set[str]:
    """Return the names of a template's arguments."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def _has_words(template: str) -> bool:
    # ``{path}: {error}`` has none, ``{count:n file}`` has one.
    return any(
        letter.isalpha()
        for literal, _, spec, _ in string.Formatter().parse(template)
        for letter in literal + (spec[2:] if spec and spec.startswith("n ") else "")
    )


def problems(found: Iterable[Found]) -> list[str]:
    """Return what a translator or a developer has to do, one line each."""
    wanted = {one.id: one for one in found}
    lines, seen = [], set()
    for path in sorted(CATALOGUE.glob("*.po")):
        for entry in polib.pofile(path):
            one = wanted.get(entry.msgctxt)
            where = f"{path.name}: {entry.msgctxt}"
            if one is None or path.stem != one.file:
                lines.append(f"{where}: not a message of this file's sources")
                continue
            seen.add(one.id)
            if entry.msgid != one.template:
                lines.append(f"{where}: the English has changed to {one.template!r}")
            elif not entry.translated():
                lines.append(f"{where}: not translated, or fuzzy: {one.template!r}")
            elif fault := _fault(entry):
                lines.append(f"{where}: {fault}")
    return lines + [f"{wanted[id_].file}.po: {id_}: missing" for id_ in sorted(wanted.keys() - seen)]


def _fault(entry: polib.POEntry) -> str:
    """Return what is wrong with the translation, empty when it fits."""
    try:
        arguments = names_in(entry.msgstr)
    except ValueError as error:
        return f"the translation is not a template: {error}"
    return "" if arguments == names_in(entry.msgid) else "the translation has other arguments"


def update(found: Iterable[Found]) -> None:
    """Write the files anew, with what they hold for the messages that still exist."""
    old = {entry.msgctxt: entry for path in CATALOGUE.glob("*.po") for entry in polib.pofile(path)}
    files: dict[str, dict[str, polib.POEntry]] = {}
    for one in found:
        entries = files.setdefault(one.file, {})
        entry = entries.get(one.id)
        if entry is None:
            entry = entries[one.id] = _updated(old.get(one.id), one)
        if (one.source, "") not in entry.occurrences:
            entry.occurrences.append((one.source, ""))
    for path in CATALOGUE.glob("*.po"):
        if path.stem not in files:
            path.unlink()
    for name, entries in files.items():
        file = polib.POFile(wrapwidth=110)
        file.metadata = dict(_HEADER)
        file.extend(entries[id_] for id_ in sorted(entries))
        file.save(str(CATALOGUE / f"{name}.po"))


def _updated(old: polib.POEntry | None, one: Found) -> polib.POEntry:
    if not _has_words(one.template) and (old is None or old.msgid != one.template):
        return polib.POEntry(msgctxt=one.id, msgid=one.template, msgstr=one.template)
    entry = polib.POEntry(msgctxt=one.id, msgid=one.template, msgstr=old.msgstr if old else "")
    if old is not None:
        entry.tcomment = old.tcomment
        changed = old.msgid != one.template
        entry.flags = [flag for flag in old.flags if flag != "fuzzy" or not changed]
        if changed and old.msgstr:
            entry.flags.append("fuzzy")
    return entry


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 if there is anything to do"
    )
    checking = parser.parse_args().check
    found = messages()
    if not checking:
        update(found)
    left = problems(found)
    print("\n".join(left) or f"{len({one.id for one in found})} messages, all translated")
    return 1 if left else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
