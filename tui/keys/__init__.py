"""Every action of the console and its keys."""
