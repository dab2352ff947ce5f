"""The auditor: reads all databases with a role that cannot write, and verifies the rules of the books."""
