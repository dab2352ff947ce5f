"""The operator's view of events and payments, and the actions on them, which are recorded in an audit trail."""
