"""Deterministic simulation: the real kit and the real services on virtual time, an in-memory broker and the real PostgreSQL.

One seed is one history: who does what, what breaks when, and every delay follow from it. See tests/faults/README.md.
"""
