"""The log of operator actions, a hash chain in each database: no action is changed or missing."""

from typing import Final

from auditor.digest import ACTION_DIGEST
from auditor.findings import Finding, Report
from auditor.sources import Sources

RULE: Final = "the log of operator actions is unchanged"

_BROKEN: Final = f"""
    SELECT action_no, acted_at, action, subject
      FROM (SELECT *, lag(hash, 1, decode(repeat('00', 32), 'hex')) OVER w AS expected_hash,
                   lag(action_no, 1, 0::bigint) OVER w AS number_before
              FROM operator_actions WINDOW w AS (ORDER BY action_no)) a
     WHERE a.hash <> {ACTION_DIGEST} OR a.previous_hash <> a.expected_hash OR a.action_no <> a.number_before + 1
     ORDER BY action_no
"""  # noqa: S608


def examine(sources: Sources, report: Report) -> None:
    """Verify the log in every database that has one."""
    report.apply(
        RULE,
        [
            Finding(
                RULE,
                f"{name} action {action_no}",
                f"{action} of {subject} at {acted_at}: it was changed, or the action before it is missing",
            )
            for name, source in (
                ("balance", sources.balance),
                ("checks", sources.checks),
                ("payments", sources.payments),
            )
            for action_no, acted_at, action, subject in source.rows(_BROKEN)
        ],
    )
