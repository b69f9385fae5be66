"""Modes, the command line and the palette."""
