"""`python -m mtts` and the `mtts` script."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from mtts.cli.app import main as run  # noqa: PLC0415 - importing mtts must cost nothing

    sys.exit(run())


if __name__ == "__main__":
    main()
