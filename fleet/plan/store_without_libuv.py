"""Runs a program whose TCPStore does without libuv. Copied to Windows nodes; never imported here.

    python store_without_libuv.py -m MODULE [ARGUMENTS]
    python store_without_libuv.py SCRIPT [ARGUMENTS]

torch for Windows is built without libuv but requests it in elastic's static rendezvous,
in the launcher and again in its workers, where USE_LIBUV is not heeded (pytorch issue 148283).
"""

from __future__ import annotations

import runpy
import sys


def change_default() -> None:
    """Give every TCPStore of this process ``use_libuv=False`` unless its caller passes another value."""
    import torch.distributed
    import torch.distributed.elastic.rendezvous.static_tcp_rendezvous as static
    import torch.distributed.rendezvous

    # The module, which a function of its name hides.
    rendezvous = sys.modules["torch.distributed.rendezvous"]

    plain: type = torch.distributed.TCPStore  # type: ignore[attr-defined]

    def without(self: object, *arguments: object, **options: object) -> None:
        options.setdefault("use_libuv", False)
        plain.__init__(self, *arguments, **options)  # type: ignore[misc]  # as the class itself would

    changed = type("TCPStore", (plain,), {"__init__": without})
    for module in (torch.distributed, static, rendezvous):
        module.TCPStore = changed  # type: ignore[attr-defined]


def main() -> None:
    """Run the program under its own name."""
    change_default()
    del sys.argv[0]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.path.insert(0, "")
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
