"""`python -m tgfr_search` is the command line."""

from tgfr_search.cli import main

main()
