"""The expected speed of a run on more GPUs and nodes, from gradients, compute time and measured links."""

from fleet.forecast.links import Link, ring_links, slowest
from fleet.forecast.model import GUIDE, METHODS, Forecast, Method, Workload, forecast
from fleet.forecast.workload import WorkloadUnknown, find_workload

__all__ = [
    "GUIDE",
    "METHODS",
    "Forecast",
    "Link",
    "Method",
    "Workload",
    "WorkloadUnknown",
    "find_workload",
    "forecast",
    "ring_links",
    "slowest",
]
