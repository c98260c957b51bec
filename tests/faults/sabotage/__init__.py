"""Sabotage: every guard of the house is taken out once, in a copy of the tree, and a test must go red."""
