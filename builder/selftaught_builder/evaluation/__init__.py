"""Evaluation: what a model gets right on held-out questions, and how sure that is."""
