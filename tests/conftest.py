"""Fixtures for every folder below. A test that asks for `stack` or `database` gets the real thing."""

from hypothesis import settings

from shared.testing import database, stack

# A machine that is busy with something else is no bug of the code under test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

__all__ = ["database", "stack"]
