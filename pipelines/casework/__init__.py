"""Cases: evidence, searches and notes under a log of their own; exported for a stranger, replayed."""
