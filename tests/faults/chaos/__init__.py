"""Faults on the real stack while the real services work: `python -m tests.faults.chaos --events N --seed S`.

A run has its own Kafka, PostgreSQL and services, breaks them by a seeded schedule while events stream in, lets it all come to
rest, and then counts from journals and topics what was lost, doubled, stuck or out of order. Each count must be 0.
"""
