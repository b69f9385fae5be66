"""The newest log lines of every rank, kept as bytes, read as text.

The state has no log bytes: they are kept here. One :class:`Logbook` holds one bounded
:class:`RankLog` for each rank. What a pane shows is a :class:`Source`: a rank's log, the matching lines of
one, several logs merged by time, or the same with identical lines folded.
"""

from fleet.logbook.book import Logbook
from fleet.logbook.folded import FoldedSource
from fleet.logbook.index import MatchIndex, MatchSource
from fleet.logbook.matching import ERRORS, Matcher, PatternError, matcher
from fleet.logbook.merged import MergedSource
from fleet.logbook.ring import RankLog
from fleet.logbook.source import Line, Source

__all__ = [
    "ERRORS",
    "FoldedSource",
    "Line",
    "Logbook",
    "MatchIndex",
    "MatchSource",
    "Matcher",
    "MergedSource",
    "PatternError",
    "RankLog",
    "Source",
    "matcher",
]
