"""What dtui does with a set of nodes, without a screen and without a socket.

Every operation is an async generator of the events in :mod:`fleet.events`.
"""
