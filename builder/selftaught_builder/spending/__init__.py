"""Spending: what attempts cost, and what a budget still allows."""
