"""What FastCheck is to reach, as ratios to floors that are measured in the same run, or as absolute figures."""

from benchmarks.results import Report, Target

#: The floor of the HTTP paths: the libraries that FastCheck is made of, used as their manuals show.
FLASK = "Flask + SELECT (SQLAlchemy)"
FLASK_RAW = "Flask + SELECT (psycopg2)"
SQL = "SQL transfer (pgbench)"
CELERY = "Celery no-op"


def http_targets(report: Report) -> list[Target]:
    """Of reading, writing and accepting."""
    floors = {c: report.floors[f"{FLASK}, c={c}"] for c in (8, 32)}
    targets = [_ratio(report, "GET /balance", 0.5, floors[32], 32)]
    for name in ("POST /fastcheck", "POST /fastcheck/accept"):
        targets += [_ratio(report, name, 0.2, floors[c], c) for c in (8, 32)]
        alone = report.of(name, 1)
        targets.append(Target(f"{name}, alone, p50", 6.0, alone.p50, "ms", at_most=True))
        targets.append(Target(f"{name}, alone, p99", 20.0, alone.p99, "ms", at_most=True))
    hot = report.of("accept, one hot user", 32).per_second
    spread = report.of("POST /fastcheck/accept", 32).per_second
    targets.append(Target("one hot user / spread, c=32", 0.5, hot / spread, "x"))
    return targets


def bus_targets(p50: float, p99: float, drained: float, expired: float) -> list[Target]:
    """Of the ways over the bus; latencies in milliseconds, rates per second."""
    return [
        Target("notification to balance, 100/s, p50", 10.0, p50, "ms", at_most=True),
        Target("notification to balance, 100/s, p99", 50.0, p99, "ms", at_most=True),
        Target("events drained by one worker", 8_000, drained, "/s"),
        Target("checks expired and refunded", 4_000, expired, "/s"),
    ]


def _ratio(report: Report, name: str, ratio: float, floor: float, connections: int) -> Target:
    reached = report.of(name, connections).per_second / floor
    return Target(f"{name} / Flask + SELECT, c={connections}", ratio, reached, "x")
