"""The guards that the auditor expects are those that the migrations create."""

from collections.abc import Callable

import pytest

from auditor import guards
from auditor.expected_guards import GUARDS
from auditor.sources import Source


@pytest.mark.parametrize("service", guards.TABLES)
def test_expected_guards_are_those_of_a_fresh_database(make_database: Callable[[str], str], service: str) -> None:
    """After an intended change of a guard in a migration, ``python -m auditor.guards`` prints the new list."""
    url = make_database(service)
    # The owner sees the same definitions as the auditor.
    source = Source(url.replace("+psycopg2", ""))
    assert guards.found(source, service) == GUARDS[service]
    source.close()


def test_expected_guards_include_those_of_the_ledger() -> None:
    names = " ".join(GUARDS["balance"])
    for word in ("append_only on transfers", "append_only on entries", "check_entries", "balance_is_never_negative"):
        assert word in names
