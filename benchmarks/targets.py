"""What FastCheck is to reach, as ratios to floors that are measured in the same run, or as absolute figures."""

from benchmarks.results import Report, Target

#: The floors of the HTTP paths, Flask with one statement: with psycopg2 alone, and with SQLAlchemy as its manual shows.
READ = "Flask + SELECT (psycopg2)"
READ_SQLALCHEMY = "Flask + SELECT (SQLAlchemy)"
TRANSFER = "Flask + transfer (psycopg2)"
TRANSFER_SQLALCHEMY = "Flask + transfer (SQLAlchemy)"
SQL = "SQL transfer (pgbench)"
CELERY = "Celery no-op"


def http_targets(report: Report) -> list[Target]:
    """Of reading, writing and accepting."""
    targets = [_ratio(report, "GET /balance", 0.25, READ, 32)]
    for name in ("POST /fastcheck", "POST /fastcheck/accept"):
        targets += [_ratio(report, name, ratio, TRANSFER, c) for c, ratio in ((8, 0.2), (32, 0.3))]
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
        Target("notification to balance, 100/s, p99", 40.0, p99, "ms", at_most=True),
        Target("events drained by one worker", 8_000, drained, "/s"),
        Target("checks expired and refunded", 4_000, expired, "/s"),
    ]


def _ratio(report: Report, name: str, ratio: float, floor: str, connections: int) -> Target:
    reached = report.of(name, connections).per_second / report.floors[f"{floor}, c={connections}"]
    return Target(f"{name} / {floor}, c={connections}", ratio, reached, "x")
