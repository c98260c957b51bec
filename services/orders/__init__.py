"""The order desk: every order is decided against live credit exposure, and every decision can be explained."""
