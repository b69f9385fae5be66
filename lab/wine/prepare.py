"""``python -m lab.wine.prepare [--torch]``: fetch and make all that Windows nodes need."""

from __future__ import annotations

import argparse
import sys
import time

from lab.wine.cache import Cache, default_cache
from lab.wine.errors import WineError
from lab.wine.locale_files import KOREAN, PLAIN
from lab.wine.prefix import template
from lab.wine.pythons import PYTHON_39, PYTHON_311, windows_python
from lab.wine.tools import check_tools, winexec


def main() -> int:
    """Prepare all parts and print how long each took; existing parts take no time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", action="store_true", help="also Windows torch (about 750 MB)")
    options = parser.parse_args()
    cache = Cache(default_cache())
    steps = [
        ("tools", check_tools),
        ("launcher", lambda: winexec(cache)),
        ("Windows Python 3.9", lambda: windows_python(cache, PYTHON_39)),
        ("Windows Python 3.11", lambda: windows_python(cache, PYTHON_311)),
        *(
            (f"C: drive ({locale})", lambda locale=locale: template(cache, locale))
            for locale in (PLAIN, KOREAN)
        ),
    ]
    if options.torch:
        from lab.wine.torch import torch_python

        steps.append(("Windows torch", lambda: torch_python(cache)))
    try:
        for name, step in steps:
            began = time.monotonic()
            step()
            print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr)  # noqa: T201
    except WineError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
