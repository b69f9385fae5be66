"""What runs on a node: Python 3.9+, the standard library only, nothing of ours imported.

The console packs this package into a zipapp, sends it through the channel's stdin and speaks
:mod:`agent.protocol` with it. Nothing has to be installed on the node.
"""
