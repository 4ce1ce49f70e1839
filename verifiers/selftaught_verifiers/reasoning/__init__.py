"""Whether the reasoning holds: its equations, and where its numbers come from."""
