"""How right it is: figures from the benchmark data, each by one command."""
