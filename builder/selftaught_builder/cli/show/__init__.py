"""What a person sees of each result: tables, lines and bars; to a script, the same as JSON."""
