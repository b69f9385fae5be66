"""``python -m tui`` is ``dtui``."""

from tui.cli import main

raise SystemExit(main())
