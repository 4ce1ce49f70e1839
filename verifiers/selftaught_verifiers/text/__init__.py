"""Reading text: characters made plain, and the place where an answer stands."""
