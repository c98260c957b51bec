"""What is to be done after a loss, done: `make drill WHICH=...` (`__main__` names them).

Each has its own stack, and an audit."""
