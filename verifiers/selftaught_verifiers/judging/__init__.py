"""Judging cases by the names of verifiers: what a process of its own is asked to do."""
