"""`python -m selftaught_builder.cli` is the command `selftaught`."""

from selftaught_builder.cli.app import main

main()
