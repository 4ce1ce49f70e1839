"""Answers that are programs: run in a sandbox against their tests."""
