"""Tests that break the system on purpose and check that no money is lost, created or promised twice.

- ``crash_points`` kills a process before and after every effect of every flow.
- ``simulation`` runs the real services under a seeded scheduler.
- ``chaos`` kills real processes under load.
- ``property`` compares random operations with a model.
- ``conformance`` runs the invariants of the Ledger Conformance Kit.

All of them read the same books (``books.py``) and use at most two checkers: ``checker.py`` compares the books with
themselves and with the bank, ``responses.py`` compares them with what clients were told (``record.py``). The defects
that they must detect are in ``defects.py`` and, for the checkers alone, in ``test_checkers.py``.
"""
