"""One command a file: ``add(subparsers)`` declares it, its handler returns the exit status.

Handlers import what they need when they run, so that ``dtui --help`` and the console start fast.
"""
