"""`python -m tgfr_search` and the script `tgfr-search` are the command line."""

import sys


def main() -> None:
    """Runs the command line; a library without which it cannot even start is named, with the command that brings it."""
    try:
        from tgfr_search.app.cli.main import main as run
    except ImportError as error:
        from tgfr_search.installed import explain_import

        told = explain_import(error)
        print(f"error: {told}", file=sys.stderr)
        sys.exit(told.exit_code)
    run()


if __name__ == "__main__":
    main()
