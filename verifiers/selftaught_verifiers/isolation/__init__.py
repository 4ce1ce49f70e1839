"""Work in a process that can be killed: for what may hang."""
