"""How large a run's record can become."""

from __future__ import annotations

from msgspec import Struct

#: Uncompressed bytes of one output segment, and of one entry in it. A reader refuses anything larger, so that
#: a segment that was crafted to expand without limit costs at most this much memory.
SEGMENT_BYTES = 4 << 20
ENTRY_BYTES = 1 << 20
#: The longest line of ``events.jsonl``: the plan of a run with the configuration files of all its nodes.
LINE_BYTES = 16 << 20
#: Bytes that are read of ``events.jsonl``: far more than a recorder writes, see RecordLimits.events.
EVENTS_BYTES = 512 << 20


class RecordLimits(Struct, frozen=True, kw_only=True):
    """Limits of what a console writes for one run; all sizes in bytes."""

    #: Compressed output of all ranks; above it the oldest segments are dropped.
    output: int = 256 << 20
    #: Uncompressed size at which a segment is closed; at most SEGMENT_BYTES.
    segment: int = SEGMENT_BYTES - ENTRY_BYTES
    #: Size of ``events.jsonl`` above which the reports of a training program are stored in the output.
    events: int = 256 << 20
    #: Step records of the whole run that ``events.jsonl`` keeps before it starts to thin them out, see
    #: fleet.runs.record.thinning.
    steps: int = 32_768
    #: Seconds for which output may wait in memory before it is written. A console that is killed loses that
    #: much, and the next one reads it from the nodes again.
    flush: float = 1.0
