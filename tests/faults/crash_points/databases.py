"""Databases whose clock runs ahead, and whose contents are restored in milliseconds."""

from collections.abc import Mapping

from tests.faults.databases import OFFSET_CLOCK, ControlledDatabases
from tests.support.servers import Servers


class OffsetDatabases(ControlledDatabases):
    """The databases of one system under test."""

    def __init__(self, servers: Servers, names: Mapping[str, str]) -> None:
        super().__init__(servers, names, OFFSET_CLOCK)
        self.save("flow")

    def set_clock_ahead(self, seconds: float) -> None:
        """Set how far ``now()`` is ahead of the machine's clock."""
        for service in self.connections:
            self.run(service, "UPDATE controlled.clock SET ahead = make_interval(secs => %s)", seconds)

    def writers(self, service: str) -> set[str]:
        """Return the ids of all transactions that wrote a row which still exists."""
        each = (f"SELECT xmin::text FROM public.{table}" for table in self.tables[service])  # noqa: S608
        return {str(row[0]) for row in self.rows(service, " UNION ".join(each))}
