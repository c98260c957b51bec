"""The command line of the house, and the main job: bring everything up, send a stream of orders, show what becomes of it."""
