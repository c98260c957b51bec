"""Messy payments with known truth, and the judge of whoever matches them: `make match-quality`."""
