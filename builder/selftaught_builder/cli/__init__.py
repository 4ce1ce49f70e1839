"""The command line, a file for each command. A command is thin: it opens a room, calls a stage, and shows what came of it."""
