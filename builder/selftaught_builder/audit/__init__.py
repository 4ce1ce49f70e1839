"""Audits: what became of each attempt and why, what a run cost, where a version came from, how two differ."""
