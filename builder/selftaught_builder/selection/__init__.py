"""Selection: which attempts a dataset holds, and why not the others."""
