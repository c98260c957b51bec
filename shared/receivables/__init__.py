"""The formulas of receivables: pure functions that payments, orders, claims, collections and the console must agree on."""
