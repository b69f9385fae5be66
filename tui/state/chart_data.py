"""What a chart shows: which history, which quantity, how far back; and the curves that this makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fleet.telemetry.history import Bucket, History
from fleet.telemetry.metrics import METRICS, Metric, gpu_of, metric_key

#: Lengths of the visible time span, in seconds.
SPANS = (60, 120, 300, 600, 1200, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600, 32 * 3600)


class Curve(Struct, frozen=True):
    """What was measured of one node or GPU, in as many buckets as there are columns of dots."""

    name: str
    buckets: Sequence[Bucket | None]
    newest: float | None = None


class Stretch(Struct, frozen=True):
    """From when to when the chart shows, in Unix seconds."""

    start: float
    end: float

    @property
    def span(self) -> float:
        """Seconds."""
        return self.end - self.start


class ChartQuery(Struct, frozen=True):
    """``run`` empty: only what this console has sampled. ``node`` empty: one curve for each node.

    ``live`` follows the clock while ``end`` is None; otherwise the last sample is the end.
    """

    run: str = ""
    live: bool = True
    node: str = ""
    metric: int = 0
    span: int = 3
    end: float | None = None

    @property
    def shown(self) -> Metric:
        """The quantity."""
        return METRICS[self.metric]


class ChartData(Struct, frozen=True):
    """Curves ready to draw, the stretch of time they cover, and the first and last moment there is."""

    curves: Sequence[Curve]
    stretch: Stretch
    first: float
    last: float


def chart_data(
    query: ChartQuery, histories: Mapping[str, History], now: float, points: int
) -> ChartData | None:
    """Return what to draw in ``points`` columns of dots; None when nothing was measured."""
    ends = [history.times for history in histories.values() if history.times]
    if not ends:
        return None
    first, last = min(times[0] for times in ends), max(times[-1] for times in ends)
    last = max(last, now) if query.live else last
    end = last if query.end is None else query.end
    stretch = Stretch(end - SPANS[query.span], end)
    curves: list[Curve] = []
    for node, history in histories.items():
        curves += _curves(query, node, history, stretch, points)
    return ChartData(curves, stretch, first, last)


def _curves(query: ChartQuery, node: str, history: History, stretch: Stretch, points: int) -> list[Curve]:
    names = sorted(history.series, key=lambda name: (gpu_of(name) or 0, name))
    # The sample at the very end belongs to the stretch.
    windows = {name: history.window(name, stretch.start, stretch.end + 1e-3, points) for name in names}
    names = [name for name in names if any(value is not None for value in history.series[name])]
    if not names:
        return []
    if query.node and query.shown.of_gpus:
        return [Curve(f"GPU {gpu_of(name)}", windows[name], _newest(history, name)) for name in names]
    newest = [value for name in names if (value := _newest(history, name)) is not None]
    buckets = [_together([windows[name][place] for name in names]) for place in range(points)]
    return [Curve(node, buckets, sum(newest) / len(newest) if newest else None)]


def _newest(history: History, name: str) -> float | None:
    return history.series[name][-1] if history.times else None


def _together(buckets: Sequence[Bucket | None]) -> Bucket | None:
    """Return several GPUs' buckets as their node's: the mean of all, the lowest and the highest of any."""
    seen = [bucket for bucket in buckets if bucket is not None]
    if not seen:
        return None
    mean = sum(bucket.mean for bucket in seen) / len(seen)
    return Bucket(seen[0].start, min(one.low for one in seen), mean, max(one.high for one in seen))


class HistorySource:
    """Reads histories, each from its file once; later samples are in memory."""

    def __init__(
        self,
        kept: Callable[[str, str, Callable[[str], bool]], History],
        sampled: Callable[[str, Callable[[str], bool], float], History],
    ) -> None:
        self._kept = kept
        self._sampled = sampled
        self._read: dict[tuple[str, str, str], History] = {}

    def histories(self, query: ChartQuery, nodes: Sequence[str]) -> dict[str, History]:
        """Return node -> history of the quantity shown; raises OSError."""
        takes = query.shown.takes
        found: dict[str, History] = {}
        for node in (query.node,) if query.node else nodes:
            key = (query.run, node, query.shown.key)
            if query.run and key not in self._read:
                self._read[key] = self._kept(query.run, node, takes)
            history = self._read.get(key, History())
            if query.live:
                after = history.times[-1] if history.times else 0.0
                history = history.then(self._sampled(node, takes, after))
            found[node] = history
        return found

    def measured(self, query: ChartQuery, nodes: Sequence[str]) -> frozenset[str]:
        """Return the keys of the metrics that nodes have values of; raises OSError."""
        keys: set[str] = set()

        def collect(series: str) -> bool:
            keys.add(metric_key(series))
            return False

        for node in (query.node,) if query.node else nodes:
            if query.run:
                self._kept(query.run, node, collect)
            if query.live:
                self._sampled(node, collect, 0.0)
        return frozenset(keys)

    def first_measured(self, query: ChartQuery, nodes: Sequence[str]) -> ChartQuery:
        """Return the query for its metric, or, without values of it, for the next that has some."""
        measured = self.measured(query, nodes)
        metrics = [(query.metric + step) % len(METRICS) for step in range(len(METRICS))]
        found = next((one for one in metrics if METRICS[one].key in measured), query.metric)
        return replace(query, metric=found)
