"""What the auditor may see, granted by the migrations of the services that are audited: column by column.

Everything else stays closed to it: codes, cards, addresses, stored answers, and every table of tomorrow.
"""

from typing import Final

#: Made by ``fastcheck provision`` and ``fastcheck up``; it may log in, and owns nothing.
ROLE: Final = "fastcheck_auditor"


def may_read(**columns: str) -> str:
    """SQL that lets the auditor read these columns of these tables: ``may_read(checks="check_id, status")``.

    Grants nothing if the role does not exist; the database is then not audited.
    """
    grants = "\n".join(f"        GRANT SELECT ({names}) ON {table} TO {ROLE};" for table, names in columns.items())
    return f"""
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN
{grants}
    END IF;
END $$;
"""  # noqa: S608  the names are those of the migrations
