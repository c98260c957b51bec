"""The credit rules as data and pure functions: what the order desk decides by, and what others tell people about it."""
