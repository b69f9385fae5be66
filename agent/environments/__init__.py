"""The Python environment of a project on the node: updated by uv, or used as it is."""
