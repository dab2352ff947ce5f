"""Chaos over real processes: people who use a whole running FastCheck while parts of it are killed, frozen and wiped.

``python -m tests.faults.chaos --help``. What it proves and how is in ``docs/explanation/chaos.md``.
"""
