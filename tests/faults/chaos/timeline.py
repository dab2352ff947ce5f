"""Draw the timeline of a run as SVG: throughput, money in flight and faults over one time axis."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.faults.chaos.injector import Struck
from tests.faults.chaos.outcome import Outcome, Round
from tests.faults.chaos.plan import Kind
from tests.faults.chaos.sampler import Sample

WIDTH: Final = 1200
LEFT: Final = 150
RIGHT: Final = 20
TOP: Final = 70
PANEL: Final = 130
GAP: Final = 44
LANE: Final = 24

INK: Final = "#1f2937"
FAINT: Final = "#6b7280"
GRID: Final = "#e5e7eb"
ANSWERED: Final = "#2563eb"
UNANSWERED: Final = "#dc2626"
MONEY: Final = "#b45309"
CALM: Final = "#ecfdf5"
AWAY: Final = "#fee2e2"

#: Lanes from top to bottom with their kinds of faults.
LANES: Final[tuple[tuple[str, str, frozenset[Kind]], ...]] = (
    ("web servers", "#7c3aed", frozenset({Kind.WEB, Kind.WEB_WORKER})),
    ("bus processes", "#0891b2", frozenset({Kind.BUS})),
    ("PostgreSQL", "#1d4ed8", frozenset({Kind.POSTGRES, Kind.POSTGRES_SESSION})),
    (
        "Redis",
        "#dc2626",
        frozenset({Kind.REDIS_KILLED, Kind.REDIS_FROZEN, Kind.REDIS_RESTARTED, Kind.REDIS_WIPED}),
    ),
    ("bank", "#ca8a04", frozenset({Kind.BANK, Kind.FORGED})),
    ("clock", "#15803d", frozenset({Kind.CLOCK})),
)


class Axis:
    """Maps Unix time to a horizontal position."""

    def __init__(self, begins: float, ends: float) -> None:
        self.begins = begins
        self.seconds = max(ends - begins, 1.0)
        self._scale = (WIDTH - LEFT - RIGHT) / self.seconds

    def x(self, at: float) -> float:
        return round(LEFT + (min(max(at, self.begins), self.begins + self.seconds) - self.begins) * self._scale, 1)


def draw(outcome: Outcome) -> str:
    """Return the timeline as one self-contained SVG document."""
    rounds = outcome.rounds
    axis = Axis(rounds[0].began, max(each.ended or each.last_fault for each in rounds)) if rounds else Axis(0, 1)
    lanes_top = TOP + 2 * (PANEL + GAP)
    bottom = lanes_top + LANE * len(LANES)
    height = bottom + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
        f' font-family="system-ui, sans-serif" font-size="12" aria-label="{escape(_title(outcome))}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(LEFT, 26, _title(outcome), size=17, weight="600"),
        _text(LEFT, 46, _subtitle(outcome), fill=FAINT),
        *_calms(axis, rounds, bottom),
        *_throughput(axis, outcome),
        *_money(axis, outcome.samples, TOP + PANEL + GAP),
        *_lanes(axis, outcome.happened, lanes_top),
        *_seconds(axis, bottom),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _title(outcome: Outcome) -> str:
    result = "clean" if outcome.is_clean else f"{len(outcome.violations)} violations"
    return f"Chaos, seed {outcome.options.seed}: {result}"


def _subtitle(outcome: Outcome) -> str:
    longest = outcome.longest_settling
    settled = "not settled" if longest is None else f"settled at most {longest:.1f} s after the last fault"
    return (
        f"{outcome.tally.total:,} operations of {outcome.options.clients} clients, {len(outcome.happened)} faults, "
        f"{outcome.per_second:.0f} operations a second while they struck; {settled}"
    )


def _calms(axis: Axis, rounds: Sequence[Round], bottom: int) -> list[str]:
    """Mark the time after the last fault of each round, in which the system settles and the books are compared."""
    parts = []
    for each in rounds:
        x, end = axis.x(each.last_fault), axis.x(each.ended or each.last_fault)
        parts.append(f'<rect x="{x}" y="{TOP}" width="{max(end - x, 1):.1f}" height="{bottom - TOP}" fill="{CALM}"/>')
        if each.settled is not None:
            anchor = "end" if x > WIDTH - 150 else "start"
            place = WIDTH - RIGHT if anchor == "end" else x + 2
            words = f"settled in {each.settled:.1f} s"
            parts.append(_text(place, TOP - 5, words, fill="#15803d", size=11, anchor=anchor))
    return parts


def _throughput(axis: Axis, outcome: Outcome) -> list[str]:
    first = int(axis.begins)
    seconds = range(first, first + math.ceil(axis.seconds))
    finished = [outcome.tally.finished_at[second] for second in seconds]
    unanswered = [outcome.tally.unanswered_at[second] for second in seconds]
    top = _round_up(max([*finished, *unanswered, 1]))
    points = " ".join(f"{axis.x(s)},{_y(TOP, count, top)}" for s, count in zip(seconds, finished, strict=True))
    floor = TOP + PANEL
    return [
        *_frame(TOP, top, "operations a second", f"{top:,.0f}"),
        f'<polygon points="{axis.x(first)},{floor} {points} {axis.x(seconds[-1])},{floor}" fill="{ANSWERED}"',
        f' fill-opacity="0.25" stroke="{ANSWERED}" stroke-width="1"/>',
        *_bars(axis, seconds, unanswered, top),
        _text(12, TOP + 14, "finished", fill=ANSWERED, size=11),
        _text(12, TOP + 29, "requests to repeat", fill=UNANSWERED, size=11),
    ]


def _bars(axis: Axis, seconds: Sequence[int], counts: Sequence[int], top: float) -> list[str]:
    width = max(axis.x(axis.begins + 1) - axis.x(axis.begins) - 0.4, 0.8)
    return [
        f'<rect x="{axis.x(second)}" y="{_y(TOP, count, top)}" width="{width:.1f}" '
        f'height="{TOP + PANEL - _y(TOP, count, top):.1f}" fill="{UNANSWERED}" fill-opacity="0.7"/>'
        for second, count in zip(seconds, counts, strict=True)
        if count
    ]


def _money(axis: Axis, samples: Sequence[Sample], y: int) -> list[str]:
    top = _round_up(max([sample.in_flight / 100 for sample in samples if sample.in_flight is not None] or [1.0]))
    lines = [
        f'<polyline points="{" ".join(f"{axis.x(at)},{_y(y, roubles, top)}" for at, roubles in line)}"'
        f' fill="none" stroke="{MONEY}" stroke-width="1.4"/>'
        for line in _without_gaps(samples)
    ]
    away = [
        f'<rect x="{axis.x(sample.at - 1)}" y="{y}" width="{max(axis.x(sample.at) - axis.x(sample.at - 1), 1):.1f}" '
        f'height="{PANEL}" fill="{AWAY}"/>'
        for sample in samples
        if sample.in_flight is None and sample.at > axis.begins
    ]
    return [
        *away,
        *_frame(y, top, "money in flight", f"{top:,.0f} ₽"),
        *lines,
        _text(12, y + 14, "roubles", fill=MONEY, size=11),
        _text(12, y + 29, "red: no database", fill=FAINT, size=11),
    ]


def _without_gaps(samples: Sequence[Sample]) -> list[list[tuple[float, float]]]:
    """Return the pieces of the line; times without a sample are left out."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for sample in samples:
        if sample.in_flight is None:
            pieces.append([])
        else:
            pieces[-1].append((sample.at, sample.in_flight / 100))
    return [piece for piece in pieces if piece]


def _lanes(axis: Axis, struck: Sequence[Struck], y: int) -> list[str]:
    parts = [_text(12, y - 10, "faults", weight="600")]
    for place, (name, colour, kinds) in enumerate(LANES):
        top = y + LANE * place
        parts.append(f'<line x1="{LEFT}" y1="{top + 12}" x2="{WIDTH - RIGHT}" y2="{top + 12}" stroke="{GRID}"/>')
        parts.append(_text(12, top + 16, name, fill=colour))
        parts += [_mark(axis, each, top, colour) for each in struck if each.fault.kind in kinds]
    return parts


def _mark(axis: Axis, struck: Struck, y: int, colour: str) -> str:
    x = axis.x(struck.began)
    title = f"<title>{escape(struck.fault.title)}: {escape(struck.done)}</title>"
    if struck.fault.seconds:
        width = max(axis.x(struck.ended) - x, 3)
        return (
            f'<rect x="{x}" y="{y + 5}" width="{width:.1f}" height="14" rx="3" fill="{colour}" fill-opacity="0.55">'
            f"{title}</rect>"
        )
    return f'<rect x="{x - 1.5:.1f}" y="{y + 2}" width="3" height="20" rx="1.5" fill="{colour}">{title}</rect>'


def _frame(y: int, top: float, name: str, highest: str) -> list[str]:
    middle = f"{top / 2:,.0f}"
    heights = (y, y + PANEL / 2, y + PANEL)
    return [
        *(f'<line x1="{LEFT}" y1="{at}" x2="{WIDTH - RIGHT}" y2="{at}" stroke="{GRID}"/>' for at in heights),
        _text(12, y - 8, name, weight="600"),
        _text(LEFT - 6, y + 4, highest, fill=FAINT, anchor="end", size=11),
        _text(LEFT - 6, y + PANEL / 2 + 4, middle, fill=FAINT, anchor="end", size=11),
        _text(LEFT - 6, y + PANEL + 4, "0", fill=FAINT, anchor="end", size=11),
    ]


def _seconds(axis: Axis, bottom: int) -> list[str]:
    step = next((step for step in (5, 10, 30, 60, 120) if axis.seconds / step <= 14), 300)
    parts = []
    for second in range(0, int(axis.seconds) + 1, step):
        x = axis.x(axis.begins + second)
        parts.append(f'<line x1="{x}" y1="{bottom}" x2="{x}" y2="{bottom + 6}" stroke="{FAINT}"/>')
        parts.append(_text(x, bottom + 20, f"{second // 60}:{second % 60:02d}", fill=FAINT, anchor="middle", size=11))
    legend = "minutes; green: settling and comparison"
    parts.append(_text(WIDTH - RIGHT, bottom + 38, legend, fill=FAINT, anchor="end", size=11))
    return parts


def _y(top: int, value: float, highest: float) -> float:
    return round(top + PANEL * (1 - min(value / highest, 1)), 1)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50, ..."""
    power = 10.0 ** math.floor(math.log10(max(value, 1)))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _text(
    x: float, y: float, text: str, *, fill: str = INK, size: int = 12, weight: str = "400", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{fill}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
