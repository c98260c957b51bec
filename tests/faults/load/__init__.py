"""Overload and soak: the real services under more work than they can do, and under ordinary work for long."""
