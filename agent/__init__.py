"""The program that runs on a node: Python 3.9+, standard library only, no imports from other packages.

The console packs this package into a zipapp, sends it through the channel's stdin and uses
:mod:`agent.wire` with it. Nothing has to be installed on the node.
"""
