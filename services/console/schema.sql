-- The console's read tables, besides the kit's. Applied idempotently at start. A section per projection, all of them
-- rebuilt from facts; what the console keeps of its own (people, sessions, who has what open) says so.

