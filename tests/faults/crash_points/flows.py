"""All flows."""

from typing import Final

from tests.faults.crash_points import flows_bus, flows_checks, flows_groups, flows_refunds, flows_topups
from tests.faults.crash_points.flow import Flow

FLOWS: Final[tuple[type[Flow], ...]] = (
    *flows_topups.FLOWS,
    *flows_checks.FLOWS,
    *flows_groups.FLOWS,
    *flows_refunds.FLOWS,
    *flows_bus.FLOWS,
)
