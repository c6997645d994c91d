"""The command line; composes everything."""


def main() -> None:
    """Run the command line."""
