"""The flash report as a page: one file, escaped, and drawn by a real browser where there is one."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mtts.core.errors import Problem
from mtts.core.flash_history import FlashReport, flash_histories
from mtts.report.flash_page import CHARTED, flash_page
from tests.core.examples import a_router
from tests.core.ledgers import START_S, a_change, a_past_result, a_report
from tests.report.ledger_of_a_fleet import fleet_report

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}<!--"
UNREACHABLE = Problem("unreachable", "10.0.0.9:8729 refuses connections", "look at /ip/service")


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, the scripts, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._in_script = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data
        else:
            self.text += data

    @property
    def data(self) -> list[dict[str, Any]]:
        """What the page's script draws."""
        found: list[dict[str, Any]] = json.loads(self.scripts[0])
        return found

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report() -> FlashReport:
    return fleet_report()


@pytest.fixture(scope="module")
def page(report: FlashReport) -> Page:
    return Page(flash_page(report, [("branch-09", UNREACHABLE)]))


def hostile_report() -> FlashReport:
    records = [
        replace(
            each, run=run, result=a_past_result(run, router=HOSTILE, from_version=HOSTILE, to_version=f"{HOSTILE}2")
        )
        for each in a_change(1, router=HOSTILE, used=99_999_999)
        for run in [replace(each.run, command=HOSTILE)]
    ]
    records.append(a_report(2, router=HOSTILE, routeros=HOSTILE))
    histories = flash_histories([a_router(name=HOSTILE)], records, [], now_s=START_S)
    return FlashReport(START_S, None, tuple(histories), frozenset())


def test_every_router_has_a_line_and_what_is_wrong_is_said(page: Page) -> None:
    names = [element["data-name"] for element in page.named("tr") if "data-name" in element]
    assert names == [f"branch-{index:02d}" for index in range(1, 21)]
    for said in ("flash-leak", "flash-near-floor", "flash-bad-blocks", "flash-budget-exceeded", "unreachable"):
        assert said in page.text
    assert UNREACHABLE.message in page.text


def test_the_figures_of_the_charts_are_those_of_the_ledger(page: Page, report: FlashReport) -> None:
    by_router = dict(zip((f"r{index}" for index in range(18)), report.histories, strict=False))
    assert [drawn["id"] for drawn in page.data] == list(by_router)
    for drawn in page.data:
        history = by_router[drawn["id"]]
        assert [run["used"] for run in drawn["runs"]] == [-(run.delta_bytes or 0) for run in history.runs]
        assert history.last is not None
        assert drawn["free"][-1] == [round(history.last.taken_s * 1000), history.last.free_bytes]
        sectors = sum(others + ours for _, others, ours in drawn["wear"]["bins"])
        assert sectors == pytest.approx(history.wear.sectors or 0, abs=len(drawn["wear"]["bins"]))
        assert sum(ours for _, _, ours in drawn["wear"]["bins"]) == pytest.approx(
            history.own_sectors or 0, abs=len(drawn["wear"]["bins"])
        )


def test_the_page_asks_nobody_for_anything(page: Page) -> None:
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "img", "base", "form"}
        assert not {"src", "action", "style", "srcset"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_no_script_but_the_pages_own_may_run(page: Page) -> None:
    (policy,) = [meta["content"] or "" for meta in page.named("meta") if meta.get("http-equiv")]
    assert policy.startswith("default-src 'none';")
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    assert allowed == {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.scripts[1:]}
    assert len(page.scripts) == 3


def test_names_and_versions_stay_text() -> None:
    text = flash_page(hostile_report(), [(HOSTILE, Problem("unreachable", HOSTILE, HOSTILE))])
    page = Page(text)
    assert "img" not in {tag for tag, _ in page.elements}
    assert len(page.scripts) == 3
    assert HOSTILE in page.text
    assert "49" not in page.text.split("Flash report")[1][:400]
    assert page.data[0]["runs"][0]["what"].startswith(HOSTILE)
    assert "onerror=alert(1)>" not in text


def test_a_report_without_history_is_a_page_too() -> None:
    routers = [a_router(name="new"), a_router(name="seen")]
    made = FlashReport(
        START_S,
        None,
        tuple(flash_histories(routers, [a_report(0, router="seen", free_bytes=None)], [], now_s=START_S)),
        frozenset({"new"}),
    )
    page = Page(flash_page(made, []))
    assert page.data == []
    assert "never" in page.text
    assert "Router by router" not in page.text


def test_a_large_fleet_is_listed_whole_and_charted_in_part() -> None:
    page = Page(flash_page(fleet_report(60, days=30), []))
    assert len([element for element in page.named("tr") if "data-name" in element]) == 60
    assert len(page.data) == CHARTED
    assert f"Charts for {CHARTED} of 60 routers" in page.text
    charted = {link["href"] for link in page.named("a")}
    warned = [element for element in page.named("tr") if element.get("class") == "warned" and "data-name" in element]
    assert len(charted) == CHARTED
    assert warned


def test_the_vendored_library_is_the_one_that_its_notice_names() -> None:
    data = files("mtts").joinpath("data")
    notice = data.joinpath("chart.NOTICE.md").read_text(encoding="utf-8")
    summed = hashlib.sha256(data.joinpath("chart.umd.min.js").read_bytes()).hexdigest()
    assert summed in notice
    version = re.search(r"Chart\.js v([\d.]+)", data.joinpath("chart.umd.min.js").read_text(encoding="utf-8"))
    assert version
    assert f"Chart.js {version[1]}" in notice


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_a_browser_draws_every_chart_and_has_nothing_to_complain_of(tmp_path: Path, report: FlashReport) -> None:
    assert BROWSER is not None
    page = tmp_path / "page.html"
    page.write_text(flash_page(report, []), encoding="utf-8")
    ran = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    assert not re.findall(r".*CONSOLE.*", ran.stderr)
    drawn = Page(ran.stdout)
    # Chart.js gives a canvas its size when it draws.
    sized = [canvas for canvas in drawn.named("canvas") if canvas.get("width")]
    assert len(sized) == len(drawn.data) * 3 - 1, "all but the wear of a router that does not count it"
