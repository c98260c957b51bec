"""Kafka and PostgreSQL on one machine, without Docker.

`python -m deploy.local up | down | status`, or call `deploy.local.stack`.
Imports nothing else of ours, so that it also runs when everything else is broken.
"""
