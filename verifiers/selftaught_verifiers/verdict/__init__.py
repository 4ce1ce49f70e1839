"""What a verdict is, what a verifier is, and where those of other packages and files come from."""
