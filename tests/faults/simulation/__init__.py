"""A deterministic simulation of FastCheck.

The real code of balance, checks and payments runs on real PostgreSQL. One seeded scheduler controls the bus, the clock,
the bank and every call between services. It delivers, repeats, loses, delays and reorders messages, kills processes
before and after their commits, fails transactions, and interleaves requests at every statement. A checker that shares
no code with the services then compares the responses and the books. A failing seed is reproducible to the last row, and
is shrunk to the moves that cause the failure.

``python -m tests.faults.simulation --seeds 200`` runs it by hand; see ``docs/explanation/simulation.md``.
"""
