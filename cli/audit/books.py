"""One audit from beginning to end.

The databases cannot be read at one and the same instant, so while the system works some rows are seen
before and others after a change. What does not fit is looked at again, a few times, each time in a
fresh picture: a race passes, a wrong kopeck stays.
"""

import time
from collections.abc import Callable
from types import ModuleType
from typing import Final

from cli.audit import cross_checks, cross_payments, ledger
from cli.audit.findings import MAX_FINDINGS_PER_RULE, Finding, InFlight, Report
from cli.audit.sources import Sources

LOOK_AGAIN_TIMES: Final = 8
LOOK_AGAIN_AFTER_SECONDS: Final = 0.25
IDS_AT_ONCE: Final = 5_000


def audit(sources: Sources, *, pause: Callable[[float], None] = time.sleep) -> Report:
    """Prove the books, or say where they are wrong."""
    report = Report()
    sources.refresh()
    checks, topups = cross_checks.compare_all(sources), cross_payments.compare_all(sources)
    ledger.examine(sources.balance, report)
    report.counts |= {"checks": checks[1], "topups": topups[1]}
    for module, (verdicts, _, doubtful) in ((cross_checks, checks), (cross_payments, topups)):
        report.rules.append(module.RULE)
        final = [*verdicts, *_look_again(module, sources, doubtful, pause)]
        findings = [verdict for verdict in final if isinstance(verdict, Finding)]
        report.findings += findings[:MAX_FINDINGS_PER_RULE]
        if len(findings) > MAX_FINDINGS_PER_RULE:
            report.findings.append(
                Finding(module.RULE, "more", f"{len(findings) - MAX_FINDINGS_PER_RULE} further violations")
            )
        report.in_flight += [verdict for verdict in final if isinstance(verdict, InFlight)]
    return report


def _look_again(
    module: ModuleType, sources: Sources, doubtful: list[str], pause: Callable[[float], None]
) -> list[Finding | InFlight | None]:
    settled: list[Finding | InFlight | None] = []
    wrong: list[Finding] = []
    for _ in range(LOOK_AGAIN_TIMES):
        if not doubtful:
            return settled
        pause(LOOK_AGAIN_AFTER_SECONDS)
        sources.refresh()
        verdicts = [
            verdict
            for start in range(0, len(doubtful), IDS_AT_ONCE)
            for verdict in module.compare_some(sources, doubtful[start : start + IDS_AT_ONCE])
        ]
        wrong = [verdict for verdict in verdicts if isinstance(verdict, Finding)]
        settled += [verdict for verdict in verdicts if isinstance(verdict, InFlight)]
        doubtful = [finding.subject.split(" ", 1)[1] for finding in wrong]
    return [*settled, *wrong]
