"""A deterministic simulation of FastCheck.

The real ``service.py``, ``handlers.py`` and ``tasks.py`` of balance, checks and payments run on real PostgreSQL. The
bus, the clock, the bank and every call between services are in the hands of one seeded scheduler, which delivers,
repeats, loses, delays and reorders, kills processes before and after their commits, fails transactions, and lets
requests run into each other at every statement. A checker that shares no code with the services then compares what
clients were told with the books. A seed that fails does the same again, to the last row, and is shrunk to the moves
that matter.

``python -m tests.faults.simulation --seeds 200`` runs it by hand; see ``docs/explanation/simulation.md``.
"""
