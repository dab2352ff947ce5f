"""The ledger under the Ledger Conformance Kit (version 1.1.0): the adapter that it asks for, and its 15 invariants.

Never part of a production process: nothing outside of ``tests`` imports it, and it starts on a scratch database alone.
"""
