"""Leakage, measured: what the checks see of rationales that are flawed although their answers are right."""
