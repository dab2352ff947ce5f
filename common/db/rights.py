"""The rights of a service's runtime role: declared per table in ``services/<name>/rights.py``, applied by migrations.

A migration role owns the tables. The runtime role, with which the processes of the service connect, owns nothing: it
cannot change or drop a table, disable a trigger, or execute a statement that the service does not have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, text


class RightsNotApplied(Exception):
    """The roles of the database are not as ``fastcheck provision`` makes them; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TableRights:
    """What the runtime role may do with a table besides SELECT, which it may on each table that is declared.

    ``update`` names columns. Row locks (``FOR UPDATE``, ``FOR SHARE``) need one column, whichever it is.
    """

    insert: bool = False
    update: tuple[str, ...] = ()
    delete: bool = False

    def privileges(self) -> tuple[str, ...]:
        """Return the privileges in the syntax of GRANT."""
        columns = f"UPDATE ({', '.join(self.update)})"
        chosen = (("INSERT", self.insert), (columns, bool(self.update)), ("DELETE", self.delete))
        return ("SELECT", *(privilege for privilege, is_given in chosen if is_given))


@dataclass(frozen=True, slots=True)
class DatabaseRights:
    """What the runtime role may do in a database. It has no right on a table that is not named here."""

    tables: Mapping[str, TableRights]
    #: The privilege on a sequence that a statement names. Identity columns need none.
    sequences: Mapping[str, str] = field(default_factory=dict)


_ROLES: Final = text("""
    SELECT current_user AS migration_role, EXISTS (SELECT 1 FROM pg_roles WHERE rolname = :runtime_role) AS exists
""")


def runtime_role(service: str) -> str:
    """Return the role with which the processes of a service connect."""
    return f"fastcheck_{service}"


def migration_role(service: str) -> str:
    """Return the role that owns the database of a service and all of its tables."""
    return f"fastcheck_{service}_owner"


def apply(tx: Connection, role: str, rights: DatabaseRights) -> None:
    """Give ``role`` these rights and no others, in the transaction of the migrations; run by the owner of the tables.

    Raises RightsNotApplied if the role does not exist or is the owner itself.
    """
    found = tx.execute(_ROLES, {"runtime_role": role}).one()
    if found.migration_role == role:
        raise RightsNotApplied(
            f"the migrations run as {role}, the role of the service, which must not own its tables:"
            " FASTCHECK_<SERVICE>_MIGRATION_DATABASE_URL must have the migration role that `fastcheck provision` makes"
        )
    if not found.exists:
        raise RightsNotApplied(f"there is no role {role}: run `fastcheck provision` before the migrations")
    for statement in statements(role, rights):
        tx.execute(text(statement))


def statements(role: str, rights: DatabaseRights) -> list[str]:
    """Return the SQL that takes all rights of ``role`` in the schema and gives it those that are declared."""
    kinds = ("TABLES", "SEQUENCES", "FUNCTIONS")
    # Takes the privileges on columns too (PostgreSQL, REVOKE).
    revoked = [f"REVOKE ALL ON ALL {kind} IN SCHEMA public FROM {role}" for kind in kinds]
    tables = [f"GRANT {', '.join(each.privileges())} ON {name} TO {role}" for name, each in rights.tables.items()]
    sequences = [f"GRANT {privilege} ON SEQUENCE {name} TO {role}" for name, privilege in rights.sequences.items()]
    return revoked + tables + sequences
