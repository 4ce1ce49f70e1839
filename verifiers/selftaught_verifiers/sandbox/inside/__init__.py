"""What runs in the sandboxed process: standard library only, and nothing of the other packages (they would have to load)."""
