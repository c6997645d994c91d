"""Lets `python -m eucentric.cli` do what `eucentric` does."""

from eucentric.cli.app import main

main()
