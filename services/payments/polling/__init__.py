"""Poll banks for the status of unfinished top-ups: on a schedule, on a browser's return, on an operator's request."""
