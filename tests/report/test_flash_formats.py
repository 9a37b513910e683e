"""The flash report as table, JSON, CSV and Prometheus text."""

import csv
import io
import json
import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtts.core.errors import Problem
from mtts.core.flash_history import FlashReport, flash_histories
from mtts.core.outcome import NodeResult, Outcome
from mtts.report.flash_json import flash_csv, flash_json
from mtts.report.flash_prom import flash_prom
from mtts.report.flash_table import flash_text, sparkline
from mtts.report.flash_words import evenly
from tests.core.examples import MIB, a_router
from tests.core.ledgers import DAY_S, START_S, a_change, a_known_release, a_past_result, a_report, a_sample
from tests.report.ledger_of_a_fleet import fleet_report


@pytest.fixture(scope="module")
def report() -> FlashReport:
    return fleet_report()


def small_report() -> FlashReport:
    records = [
        *a_change(1, used=64 * 1024, staged=9 * MIB, sample={"write_sectors_total": 51_000}),
        a_report(0, write_sectors_total=50_000),
        a_report(2, free_bytes=20 * MIB - 64 * 1024, write_sectors_total=52_000),
    ]
    records.sort(key=lambda record: record.sample.taken_s)
    releases = [a_known_release("a"), a_known_release("b", 9 * MIB + 60 * 1024)]
    now_s = START_S + 2 * DAY_S
    return FlashReport(
        now_s, START_S, tuple(flash_histories([a_router()], records, releases, now_s=now_s)), frozenset()
    )


def rows_of(text: str) -> list[list[str]]:
    """The cells of the tables' lines; columns are two spaces apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines() if line.strip()]


def test_the_table_of_one_router_shows_its_runs() -> None:
    rows = rows_of(flash_text(small_report(), []))
    assert rows[0] == [
        "ROUTER", "FREE", "OF", "TREND", "RUNS", "LAST", "ALL RUNS", "STILL FIT", "WRITES/DAY", "OURS", "SEEN",
    ]  # fmt: skip
    assert rows[2] == [
        "router1", "19.9 MiB", "128.0 MiB", "▄▄▄▄▄▄▄▄▄▄▄▄", "1", "-64.0 KiB", "-64.0 KiB", "about 144", "1 000", "0%",
        "now",
    ]  # fmt: skip
    assert rows[3:] == [
        ["router1"],
        ["WHEN (UTC)", "COMMAND", "OUTCOME", "RELEASE", "BEFORE", "AFTER", "COST", "BY SIZE", "SECTORS"],
        rows[5],
        [
            "2026-09-22 14:13", "update", "updated", "1.90.1 → 1.90.2", "20.0 MiB", "19.9 MiB", "-64.0 KiB",
            "-60.0 KiB", "0",
        ],
    ]  # fmt: skip


def test_the_table_of_a_fleet_tells_what_to_look_at_under_it(report: FlashReport) -> None:
    unreachable = Problem("unreachable", "10.0.0.9:8729 refuses connections", "look at /ip/service")
    text = flash_text(report, [NodeResult("branch-09", "", Outcome.UNREACHABLE, problem=unreachable)])
    rows = {row[0]: row for row in rows_of(text)}
    assert rows["branch-09"][-1] == "4 d ago"
    assert rows["branch-19"][3:8] == ["▄", "0", "-", "-", "at least 1"]
    assert rows["branch-08"][-3:] == ["-", "-", "now"]
    told = [line.split(": ")[0] + " " + line[line.rindex("[") :] for line in text.splitlines() if line.endswith("]")]
    assert told == [
        "branch-02 [flash-bad-blocks]",
        "branch-03 [flash-budget-exceeded]",
        "branch-04 [flash-leak]",
        "branch-06 [flash-near-floor]",
        "branch-09 [unreachable]",
    ]
    assert text.endswith("note: branch-08: the router does not count what its flash writes\n")


def test_a_note_that_many_routers_share_is_printed_once() -> None:
    routers = [a_router(name=f"r{index}") for index in range(9)]
    records = [
        a_report(day, router=router.name, write_sectors_total=None, write_sectors_since_reboot=None)
        for day in (0, 1)
        for router in routers
    ]
    made = FlashReport(START_S, None, tuple(flash_histories(routers, records, [], now_s=START_S)), frozenset())
    assert flash_text(made, []).splitlines()[-1] == (
        "note: r0, r1, r2, r3, r4 and 4 more: the router does not count what its flash writes"
    )


@pytest.mark.parametrize(
    ("figures", "drawn"),
    [([], ""), ([5], "▄"), ([7, 7, 7], "▄▄▄"), ([0, 50, 100], "▁▄█"), ([1000, 1001], "▄▄"), ([900, 100, 500], "█▁▄")],
)
def test_a_sparkline_is_as_high_as_its_figures_and_flat_where_they_hardly_move(figures: list[int], drawn: str) -> None:
    assert sparkline(figures, total=1000) == drawn


@given(st.lists(st.tuples(st.floats(0, 1000), st.none() | st.integers(0, 10**9)), max_size=40), st.integers(2, 40))
def test_a_trend_begins_and_ends_with_real_figures_and_has_no_others(
    taken: list[tuple[float, int | None]], count: int
) -> None:
    samples = [a_sample(day, free_bytes=free) for day, free in sorted(taken, key=lambda each: each[0])]
    known = [sample.free_bytes for sample in samples if sample.free_bytes is not None]
    figures = evenly(samples, count)
    assert len(figures) <= count
    assert set(figures) <= set(known)
    assert figures[-1:] == known[-1:]


def test_the_document_has_every_figure_of_a_run_to_the_byte() -> None:
    (found,) = flash_json(small_report())
    (run,) = found["runs"]
    assert {key: run[key] for key in ("before", "after", "delta", "expected_delta", "settled", "is_leak")} == {
        "before": 20 * MIB,
        "after": 20 * MIB - 65536,
        "delta": -65536,
        "expected_delta": -61440,
        "settled": True,
        "is_leak": False,
    }
    assert [(node["node"], node["from"], node["to"], node["delta"]) for node in run["nodes"]] == [
        ("tailscale", "1.90.1", "1.90.2", -65536)
    ]
    assert found["wear"] == {
        "sectors": 2000, "counted_s": 2 * DAY_S, "per_day": 1000.0, "is_at_least": False, "during_runs": 0,
    }  # fmt: skip
    assert (found["forecast"]["updates"], found["forecast"]["bound"], found["answered"]) == (144, "about", True)
    assert [sample["moment"] for sample in found["samples"]] == [
        "report", "before", "staged", "committed", "settled", "report",
    ]  # fmt: skip


def test_the_document_of_a_fleet_is_json(report: FlashReport) -> None:
    found = json.loads(json.dumps(flash_json(report)))
    assert len(found) == 20
    assert [each["router"] for each in found if not each["answered"]] == ["branch-09"]
    assert {code["code"] for each in found for code in each["warnings"]} == {
        "flash-bad-blocks", "flash-budget-exceeded", "flash-leak", "flash-near-floor",
    }  # fmt: skip


def test_csv_has_a_row_for_each_sample() -> None:
    rows = list(csv.DictReader(io.StringIO(flash_csv(small_report()))))
    assert [(row["moment"], row["command"]) for row in rows] == [
        ("report", "flash-report"),
        ("before", "update"),
        ("staged", "update"),
        ("committed", "update"),
        ("settled", "update"),
        ("report", "flash-report"),
    ]
    assert (rows[0]["taken"], rows[0]["free_bytes"], rows[0]["node"]) == ("2026-09-21T14:13:20Z", str(20 * MIB), "")
    assert (rows[1]["from_version"], rows[1]["to_digest"]) == ("1.90.1", "sha256:" + "b" * 64)


@pytest.mark.parametrize("version", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_csv_holds_no_formula(version: str) -> None:
    records = [replace(each, result=a_past_result(each.run, to_version=version)) for each in a_change(1)]
    made = flash_histories([a_router()], records, [], now_s=START_S)
    rows = csv.DictReader(io.StringIO(flash_csv(FlashReport(START_S, None, tuple(made), frozenset()))))
    assert {row["to_version"] for row in rows} == {"'" + version.strip()}


def test_metrics_tell_what_routers_said_and_nothing_else() -> None:
    lines = flash_prom(small_report()).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'mtts_router_up{router="router1"} 1',
        'mtts_router_last_seen_timestamp_seconds{router="router1"} 1790172800.0',
        'mtts_router_flash_free_bytes{router="router1"} 20905984',
        'mtts_router_flash_total_bytes{router="router1"} 134217728',
        'mtts_router_flash_write_sectors_total{router="router1"} 52000',
        'mtts_router_flash_bad_blocks_ratio{router="router1"} 0.0',
        'mtts_router_flash_fitting_updates{router="router1"} 144',
        'mtts_node_updates_total{router="router1",node="tailscale"} 1',
        'mtts_node_last_update_timestamp_seconds{router="router1",node="tailscale"} 1790086400.0',
        'mtts_node_last_update_flash_delta_bytes{router="router1",node="tailscale"} -65536',
    ]
    assert lines[:2] == [
        "# HELP mtts_router_up Whether the router answered when the report was made.",
        "# TYPE mtts_router_up gauge",
    ]
    assert [line.split()[2] for line in lines if line.endswith(" counter")] == [
        "mtts_router_flash_write_sectors_total",
        "mtts_node_updates_total",
    ]


def test_labels_are_escaped() -> None:
    (history,) = flash_histories([a_router(name='a"b\\c\nd')], [], [], now_s=0)
    made = FlashReport(0, None, (history,), frozenset({'a"b\\c\nd'}))
    assert r'mtts_router_up{router="a\"b\\c\nd"} 0' in flash_prom(made).splitlines()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(report: FlashReport) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607 - wherever it is installed
        input=flash_prom(report),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
