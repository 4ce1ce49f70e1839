"""Whether a rationale shows that it was told the answer."""
