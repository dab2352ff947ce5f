"""The names of the auditor's log events."""

from typing import Final

#: An audit ran to its end; ``clean`` tells whether it found no violation.
BOOKS_AUDITED: Final = "books_audited"
#: A database could not be read; the next interval audits again.
BOOKS_UNREADABLE: Final = "books_unreadable"
#: The audit raised an unexpected exception.
AUDIT_FAILED: Final = "audit_failed"
