"""The report as a table for the terminal and as an SVG chart, with the same numbers."""

from html import escape

from benchmarks import repeated
from benchmarks.results import Figures, Report, Target


def as_text(report: Report) -> str:
    """Return the report as Markdown, which is readable in a terminal."""
    lines = [f"Machine: {report.machine}; PostgreSQL, Redis, FastCheck and the load share it.", ""]
    lines += [f"Load generator for reads and floors: {repeated.generator()}.", ""]
    lines += ["| floor | per second |", "| --- | ---: |"]
    lines += [f"| {name} | {rate:,.0f} |" for name, rate in report.floors.items()]
    lines += [
        "",
        "| path | clients | per second | p50 ms | p95 ms | p99 ms | errors | CPU ms | round trips | commits |",
    ]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    lines += [_row(item) for item in report.figures]
    lines += ["", "| path, 32 clients | CPU ms per operation, by process |", "| --- | --- |"]
    lines += [f"| {item.name} | {_cpu(item)} |" for item in report.figures if item.connections == 32]
    lines += ["", "| target | wanted | reached | |", "| --- | ---: | ---: | --- |"]
    lines += [_target(target) for target in report.targets]
    busiest = max((item.generator_busy for item in report.figures), default=0.0)
    lines += ["", f"The busiest process of the load generator worked {busiest:.0%} of its time."]
    memory = ", ".join(f"{name} {mib:.0f}" for name, mib in sorted(report.memory_mib.items()))
    lines += [f"Memory at the end, MiB (PSS), {sum(report.memory_mib.values()):.0f} in all: {memory}."]
    return "\n".join(lines) + "\n"


def _row(item: Figures) -> str:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.1f}"

    return (
        f"| {item.name} | {item.connections} | {item.per_second:,.0f} | {item.p50:.1f} | {item.p95:.1f} |"
        f" {item.p99:.1f} | {item.errors} | {item.cpu_total_ms:.2f} | {number(item.round_trips)} |"
        f" {number(item.commits)} |"
    )


def _cpu(item: Figures) -> str:
    shown = sorted(item.cpu_ms.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in shown if milliseconds >= 0.01)


def _value(value: float, unit: str) -> str:
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:.2f} {unit}"


def _target(target: Target) -> str:
    sign = "≤" if target.at_most else "≥"
    verdict = "met" if target.met else f"missed: {target.part:.0%} of it"
    wanted, reached = _value(target.wanted, target.unit), _value(target.reached, target.unit)
    return f"| {target.name} | {sign} {wanted} | {reached} | {verdict} |"


_LINE, _LEFT, _SCALE, _WIDTH = 26, 330, 220, 900


def as_svg(report: Report) -> str:
    """Return an SVG with a bar per target, cut at twice the target; the line marks the target."""
    height = _LINE * (len(report.targets) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="12" y="22" font-weight="bold">FastCheck against its targets ({escape(report.machine)})</text>',
    ]
    for number, target in enumerate(report.targets):
        top = _LINE * (number + 2)
        colour = "#2e7d32" if target.met else "#c62828"
        width = min(target.part, 2.0) * _SCALE
        reached, wanted = _value(target.reached, target.unit), _value(target.wanted, target.unit)
        parts += [
            f'<text x="{_LEFT - 10}" y="{top}" text-anchor="end">{escape(target.name)}</text>',
            f'<rect x="{_LEFT}" y="{top - 13}" width="{width:.0f}" height="17" fill="{colour}"/>',
            f'<text x="{_LEFT + width + 6:.0f}" y="{top}">{escape(f"{reached} of {wanted}")}</text>',
        ]
    line = _LEFT + _SCALE
    parts.append(f'<path d="M{line} {_LINE} V{height - _LINE}" stroke="#333" stroke-dasharray="4 3"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"
