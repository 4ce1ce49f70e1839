"""Whether the answer is right: numbers, formulas, letters, dates and plain text."""
