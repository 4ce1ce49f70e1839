"""Stages: sample, verify, rationalize, export, train and evaluate, a file each. Each does only what is not done yet."""
