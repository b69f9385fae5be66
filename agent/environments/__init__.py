"""The Python environment of a project on the node: brought up to date by uv, or taken as it is."""
