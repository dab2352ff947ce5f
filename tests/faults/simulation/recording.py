"""Records a run as lines, which must be equal in two runs of a seed.

A line for each move with the state of all actors and packets; at the end all responses, and all rows of all databases.
"""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

from tests.faults.books import unsealed
from tests.faults.simulation.moves import Move

if TYPE_CHECKING:
    from tests.faults.simulation.system import SimulatedSystem


class Recording:
    """The recording of one run."""

    def __init__(self, code_key: str) -> None:
        self.lines: list[str] = []
        self._fernet = Fernet(code_key)

    def move(self, move: Move, system: "SimulatedSystem") -> None:
        """Record a move and the resulting states."""
        actors = ", ".join(f"{actor!r}" for actor in system.scheduler.actors.values())
        packets = ", ".join(f"{packet.name} ({packet})" for packet in system.network.in_flight.values())
        self.lines.append(f"{system.clock.now():%H:%M:%S} {move}; {actors}; {packets}")

    def end(self, system: "SimulatedSystem") -> None:
        """Record the final state of clients, bank and databases."""
        for name, asked in system.clients.asked.items():
            self.lines.append(
                f"{name} {asked.spec}: {[(response.status, response.body) for response in asked.responses]}"
            )
        self.lines += [f"{payment}" for payment in system.bank.payments.values()]
        for service, tables in system.databases.tables.items():
            for table in tables:
                rows = system.databases.rows(service, f"SELECT * FROM {table}")  # noqa: S608  a name from the catalogue
                self.lines += sorted(f"{service}.{table} {[self._plain(value) for value in row]}" for row in rows)

    def _plain(self, value: Any) -> Any:
        return unsealed(self._fernet, bytes(value)) if isinstance(value, memoryview) else value
