"""Bloat in PostgreSQL after many changes: dead rows, free space, index density (pgstattuple)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.system import System

#: The tables that every check writes.
TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "balance": ("accounts", "transfers", "entries", "chain_links", "inbox"),
    "checks": ("checks", "idempotency_keys", "outbox"),
}
#: Dead rows are those that vacuum has not removed yet.
_TABLE: Final = """
    SELECT s.n_tup_ins, s.n_tup_upd, s.n_tup_hot_upd, s.autovacuum_count, t.tuple_count, t.dead_tuple_percent,
           t.free_percent, pg_relation_size(s.relid), pg_indexes_size(s.relid)
      FROM pg_stat_user_tables s, pgstattuple(s.relid) t
     WHERE s.relname = %s
"""
_INDEXES: Final = """
    SELECT c.relname, pg_relation_size(i.indexrelid), d.avg_leaf_density
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, pgstatindex(i.indexrelid::regclass) d
     WHERE i.indrelid = CAST(%s AS regclass)
     ORDER BY c.relname
"""
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Table:
    """The state and the write counters of one table. Sizes are in bytes."""

    inserted: int
    updated: int
    updated_in_place: int
    vacuums: int
    rows: int
    dead_percent: float
    free_percent: float
    bytes: int
    index_bytes: int
    #: Name of an index -> its size in bytes, and the density of its leaves in percent.
    indexes: Mapping[str, tuple[int, float]]

    @property
    def bytes_per_row(self) -> float:
        """The size with indexes per row, in bytes."""
        return (self.bytes + self.index_bytes) / max(self.rows, 1)


def inspect_tables(system: System) -> dict[str, Table]:
    """Return the state of each table in TABLES, by name. Reads every table completely."""
    found = {}
    for service, names in TABLES.items():
        system.rows(service, "CREATE EXTENSION IF NOT EXISTS pgstattuple")
        for name in names:
            columns = system.rows(service, _TABLE, (name,))[0]
            indexes = {index: (size, full) for index, size, full in system.rows(service, _INDEXES, (name,))}
            found[name] = Table(*(*columns, indexes))
    return found


def table(before: Mapping[str, Table], after: Mapping[str, Table]) -> str:
    """Return a Markdown table with one line per table and index, at an earlier time and now."""
    lines = ["| table | rows | updates | in place | vacuums | dead | free | bytes per row, earlier and now |"]
    lines += ["| --- |" + " ---: |" * 7]
    lines += [_table_line(name, before[name], one) for name, one in after.items()]
    lines += ["", "| index | MiB, earlier and now | leaves full, earlier and now |", "| --- | ---: | ---: |"]
    for name, one in after.items():
        for index, (size, full) in one.indexes.items():
            earlier_size, earlier_full = before[name].indexes[index]
            lines.append(
                f"| {index} | {earlier_size / _MIB:,.1f}, {size / _MIB:,.1f} | {earlier_full:.0f} %, {full:.0f} % |"
            )
    return "\n".join(lines)


def _table_line(name: str, before: Table, now: Table) -> str:
    in_place = f"{now.updated_in_place / now.updated:.1%}" if now.updated else ""
    return (
        f"| {name} | {now.rows:,} | {now.updated:,} | {in_place} | {now.vacuums} | {now.dead_percent:.1f} %"
        f" | {now.free_percent:.1f} % | {before.bytes_per_row:,.0f}, {now.bytes_per_row:,.0f} |"
    )
