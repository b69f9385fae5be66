"""A console on hostile events, for a pty; arguments: the recording and the mode."""

from __future__ import annotations

import sys

from tests.hostile.terminal.test_console import hostile_console

if __name__ == "__main__":
    app = hostile_console(sys.argv[1], sys.argv[2])
    app.run()
    raise SystemExit(app.return_code)
