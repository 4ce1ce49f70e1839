"""The form of a rationale: empty talk, repetition, and what was cut off."""
