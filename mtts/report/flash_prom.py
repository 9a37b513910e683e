"""The flash report as a Prometheus text file, for the node exporter's textfile collector.

Written by hand: of the format only gauges and counters without timestamps are needed, and escaping is one line. What
a router did not say has no line, and a metric without a line is left out altogether.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mtts.core.flash import FlashSample
from mtts.core.flash_history import FlashHistory, FlashReport
from mtts.core.flash_runs import NodeChange

Labels = Mapping[str, str]
Figure = tuple[Labels, float | int | None]


@dataclass(frozen=True, slots=True)
class _Metric:
    name: str
    kind: str
    help: str
    figures: Callable[[FlashReport, FlashHistory], Iterable[Figure]]


def flash_prom(report: FlashReport) -> str:
    """Counters count from the first sample in the report, which must therefore reach back to the beginning."""
    return "".join(_metric(metric, report) for metric in _METRICS)


def _metric(metric: _Metric, report: FlashReport) -> str:
    lines = [
        f"{metric.name}{_labels(labels)} {value}"
        for history in report.histories
        for labels, value in metric.figures(report, history)
        if value is not None
    ]
    if not lines:
        return ""
    return "\n".join([f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *lines]) + "\n"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _of_last(
    figure: Callable[[FlashSample], float | int | None],
) -> Callable[[FlashReport, FlashHistory], Iterable[Figure]]:
    """One figure per router, from its last sample."""

    def figures(_report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
        if history.last is not None:
            yield {"router": history.router}, figure(history.last)

    return figures


def _of_last_update(
    figure: Callable[[NodeChange], float | int | None],
) -> Callable[[FlashReport, FlashHistory], Iterable[Figure]]:
    """One figure per node, from the last run that wrote a release."""

    def figures(_report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
        for node, changes in _updates(history).items():
            yield {"router": history.router, "node": node}, figure(changes[-1])

    return figures


def _updates(history: FlashHistory) -> dict[str, list[NodeChange]]:
    found: dict[str, list[NodeChange]] = {}
    for run in history.runs:
        for change in run.changes:
            if change.wrote_release:
                found.setdefault(change.result.node, []).append(change)
    return found


def _answered(report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
    yield {"router": history.router}, int(history.router not in report.silent)


def _fit(_report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
    yield {"router": history.router}, history.forecast.updates


def _update_counts(_report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
    for node, changes in _updates(history).items():
        yield {"router": history.router, "node": node}, len(changes)


def _warnings(_report: FlashReport, history: FlashHistory) -> Iterable[Figure]:
    for warning in history.warnings:
        yield {"router": history.router, "code": warning.code}, 1


_METRICS: Final = (
    _Metric("mtts_router_up", "gauge", "Whether the router answered when the report was made.", _answered),
    _Metric(
        "mtts_router_last_seen_timestamp_seconds",
        "gauge",
        "When the figures of the router's flash were read.",
        _of_last(lambda sample: round(sample.taken_s, 3)),
    ),
    _Metric(
        "mtts_router_flash_free_bytes",
        "gauge",
        "Free space of the router's internal storage.",
        _of_last(lambda sample: sample.free_bytes),
    ),
    _Metric(
        "mtts_router_flash_total_bytes",
        "gauge",
        "Size of the router's internal storage.",
        _of_last(lambda sample: sample.total_bytes),
    ),
    _Metric(
        "mtts_router_flash_write_sectors_total",
        "counter",
        "Sectors written to the router's flash in its life, as RouterOS counts them.",
        _of_last(lambda sample: sample.write_sectors_total),
    ),
    _Metric(
        "mtts_router_flash_bad_blocks_ratio",
        "gauge",
        "Part of the flash's blocks that are bad, from 0 to 1.",
        _of_last(lambda sample: None if sample.bad_blocks_percent is None else sample.bad_blocks_percent / 100),
    ),
    _Metric(
        "mtts_router_flash_fitting_updates",
        "gauge",
        "How many more updates fit at least; absent where nothing limits them or nothing is known.",
        _fit,
    ),
    _Metric("mtts_router_flash_warning", "gauge", "A warning of the flash report, by its code.", _warnings),
    _Metric(
        "mtts_node_updates_total",
        "counter",
        "Releases written in place of another, failed attempts included.",
        _update_counts,
    ),
    _Metric(
        "mtts_node_last_update_timestamp_seconds",
        "gauge",
        "When the last of them began.",
        _of_last_update(lambda change: round(change.samples[0].taken_s, 3)),
    ),
    _Metric(
        "mtts_node_last_update_flash_delta_bytes",
        "gauge",
        "By how much it changed the free space; negative where space was used.",
        _of_last_update(lambda change: change.delta_bytes),
    ),
)
