"""Verifiers that see all of a question's attempts: majority, chance, near duplicates, outliers in length."""
