"""The report of the benchmarks as a table and as an SVG chart."""

import xml.etree.ElementTree as ET

from benchmarks.rendering import as_svg, as_text
from benchmarks.results import Figures, Report, Target
from benchmarks.targets import READ, TRANSFER, bus_targets, http_targets


def _report() -> Report:
    floors = {f"{READ}, c=32": 5_000.0, f"{TRANSFER}, c=8": 4_000.0, f"{TRANSFER}, c=32": 5_001.0}
    report = Report(machine="2 cores <of mine>", floors=floors)
    for name in ("GET /balance", "POST /fastcheck", "POST /fastcheck/accept"):
        for connections in (1, 8, 32):
            report.figures.append(
                Figures(name, connections, 1_000.0, 5.0, 9.0, 21.0, 0, {"gateway-web": 0.4}, 0.1, 3.0, 2.0)
            )
    report.figures.append(Figures("accept, one hot user", 32, 700.0, 5.0, 9.0, 21.0, 0))
    report.targets = http_targets(report) + bus_targets(8.0, 60.0, 9_000, 3_000)
    return report


def test_targets_are_met_by_ratio_and_by_absolute_value() -> None:
    met = {target.name: target.met for target in _report().targets}
    assert met[f"GET /balance / {READ}, c=32"] is False
    assert met[f"POST /fastcheck / {TRANSFER}, c=8"] is True
    assert met[f"POST /fastcheck / {TRANSFER}, c=32"] is False
    assert met["POST /fastcheck, alone, p50"] is True
    assert met["POST /fastcheck, alone, p99"] is False
    assert met["one hot user / spread, c=32"] is True
    assert met["notification to balance, 100/s, p99"] is False
    assert met["events drained by one worker"] is True
    assert met["checks expired and refunded"] is False


def test_part_of_a_target_is_one_where_it_is_just_met() -> None:
    assert Target("rate", 100, 50, "/s").part == 0.5
    assert Target("time", 10, 20, "ms", at_most=True).part == 0.5


def test_table_has_every_figure_and_target() -> None:
    text = as_text(_report())
    assert "| POST /fastcheck | 8 | 1,000 | 5.0 | 9.0 | 21.0 | 0 | 0.40 | 3.0 | 2.0 |" in text
    assert "| checks expired and refunded | ≥ 4,000/s | 3,000/s | missed: 75% of it |" in text
    assert "| POST /fastcheck, alone, p50 | ≤ 6.00 ms | 5.00 ms | met |" in text
    assert "worked 10% of its time" in text


def test_chart_has_the_same_numbers_as_the_table() -> None:
    report = _report()
    chart = ET.fromstring(as_svg(report))  # noqa: S314  our own
    texts = {element.text for element in chart.iter("{http://www.w3.org/2000/svg}text")}
    assert "3,000/s of 4,000/s" in texts
    assert all(target.name in texts for target in report.targets)
    assert any("2 cores <of mine>" in str(text) for text in texts)
