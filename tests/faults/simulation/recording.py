"""Everything that can be seen of a run, in lines: two runs of a seed must have the same.

What moved, where that left everybody, what was told to whom, and in the end every row of every database.
"""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

from tests.faults.books import unsealed
from tests.faults.simulation.moves import Move

if TYPE_CHECKING:
    from tests.faults.simulation.world import World


class Recording:
    """Taken of a world while it moves."""

    def __init__(self, code_key: str) -> None:
        self.lines: list[str] = []
        self._fernet = Fernet(code_key)

    def move(self, move: Move, world: "World") -> None:
        """A move was made: where is everybody now?"""
        actors = ", ".join(f"{actor!r}" for actor in world.stage.actors.values())
        letters = ", ".join(f"{letter.name} ({letter})" for letter in world.network.in_flight.values())
        self.lines.append(f"{world.clock.now():%H:%M:%S} {move}; {actors}; {letters}")

    def end(self, world: "World") -> None:
        """What the clients, the bank and the databases have in the end."""
        for name, asked in world.clients.asked.items():
            self.lines.append(f"{name} {asked.wish}: {[(told.status, told.body) for told in asked.told]}")
        self.lines += [f"{payment}" for payment in world.bank.payments.values()]
        for service, tables in world.databases.tables.items():
            for table in tables:
                rows = world.databases.rows(service, f"SELECT * FROM {table}")  # noqa: S608  a name of the catalogue
                self.lines += sorted(f"{service}.{table} {[self._plain(value) for value in row]}" for row in rows)

    def _plain(self, value: Any) -> Any:
        return unsealed(self._fernet, bytes(value)) if isinstance(value, memoryview) else value
