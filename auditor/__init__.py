"""The auditor: reads every database as a role that can write none, and proves that the books are right."""
