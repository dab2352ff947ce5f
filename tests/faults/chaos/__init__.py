"""Chaos test: clients use a complete running FastCheck while its processes are killed, frozen and wiped.

``python -m tests.faults.chaos --help``. ``docs/explanation/chaos.md`` describes what it checks.
"""
