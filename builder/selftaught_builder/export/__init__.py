"""Export: dataset versions, their cards, and their way to the hub."""
