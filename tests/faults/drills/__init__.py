"""What is to be done after a loss, done: `make drill WHICH=restore|refill|readmodels`. Each has its own stack, and an audit."""
