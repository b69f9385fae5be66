"""What console and agent exchange, declared once for both ends: frames, operations, and their bodies.

Bodies are TypedDicts: plain JSON objects whose keys and types mypy checks at both ends. They are checked at
run time by :mod:`agent.wire.decode` where they arrive, and nowhere else. Python 3.9, standard library only.
"""
