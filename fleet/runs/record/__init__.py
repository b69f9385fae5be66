"""A run's record on the master: which files there are, their format, their limits, and how they are read.

============================ ====================================================================
file in ``.dtui/runs/<run>`` content
============================ ====================================================================
``events.jsonl``             lifecycle events, one per line; nothing is ever removed from it
``output/<number>.gz``       rank output and dense step records, compressed; the oldest are dropped
``output/dropped.json``      where the dropped output of each rank ended
============================ ====================================================================

Each entry of the output has the size that ``events.jsonl`` had when it was written. Reading merges both in
that order.
"""
