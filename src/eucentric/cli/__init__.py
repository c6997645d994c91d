"""The command line; composes everything."""

from eucentric.cli.app import main

__all__ = ["main"]
