"""The guards in the databases: triggers with their functions, and constraints. All must exist, enabled and unchanged.

``expected_guards`` lists their fingerprints. A test compares the list with newly migrated databases, and
``python -m auditor.guards URL...`` prints it after a migration has changed a guard on purpose.
"""

import hashlib
import sys
from typing import Final

from auditor.conditions import canonical_trigger
from auditor.expected_guards import GUARDS
from auditor.findings import Finding, Report
from auditor.sources import Source, Sources

RULE: Final = "the triggers and constraints of the databases are unchanged"

#: The tables whose guards are compared. Those of payments change often; their rows are compared with two other sources.
TABLES: Final = {
    "balance": ("accounts", "transfers", "entries", "chain_blocks", "chain_links", "inbox", "operator_actions"),
    "checks": ("checks", "operator_actions"),
    "payments": ("operator_actions",),
}

_TRIGGERS: Final = """
    SELECT format('trigger %%s on %%s', t.tgname, t.tgrelid::regclass),
           t.tgenabled::text, pg_get_triggerdef(t.oid), p.prosrc
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE NOT t.tgisinternal AND t.tgrelid = ANY (%(tables)s::regclass[])
"""

_CONSTRAINTS: Final = """
    SELECT format('constraint %%s on %%s', conname, conrelid::regclass),
           convalidated::text || ' ' || pg_get_constraintdef(oid)
      FROM pg_constraint WHERE contype IN ('c', 'p', 'u') AND conrelid = ANY (%(tables)s::regclass[])
"""


def found(source: Source, service: str) -> dict[str, str]:
    """Return the guards of a database: name -> fingerprint of the definition."""
    parameters = {"tables": list(TABLES[service])}
    triggers = [
        (name, f"{enabled} {canonical_trigger(definition)} {function}")
        for name, enabled, definition, function in source.rows(_TRIGGERS, parameters)
    ]
    rows = [*triggers, *source.rows(_CONSTRAINTS, parameters)]
    return {name: hashlib.sha256(definition.encode()).hexdigest()[:16] for name, definition in sorted(rows)}


def examine(sources: Sources, report: Report) -> None:
    """Compare the guards with the expected ones. Additional guards are accepted."""
    findings = []
    for service, guards in GUARDS.items():
        present = found(getattr(sources, service), service)
        for name, fingerprint in guards.items():
            if name not in present:
                findings.append(Finding(RULE, f"{service} {name}", "is missing"))
            elif present[name] != fingerprint:
                findings.append(Finding(RULE, f"{service} {name}", "is disabled or changed"))
    report.apply(RULE, findings)


def main(urls: list[str]) -> None:
    """Print ``expected_guards`` for the databases of balance, checks and payments at these URLs."""
    print('"""The expected guards: fingerprints of their definitions, printed by ``auditor.guards``."""\n')
    print("from typing import Final\n\nGUARDS: Final = {")
    for service, url in zip(TABLES, urls, strict=True):
        source = Source(url.replace("+psycopg2", ""))
        print(f'    "{service}": {{')
        for name, fingerprint in found(source, service).items():
            print(f'        "{name}": "{fingerprint}",')
        print("    },")
        source.close()
    print("}")


if __name__ == "__main__":
    main(sys.argv[1:])
