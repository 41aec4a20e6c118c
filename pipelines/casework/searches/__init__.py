"""Searches of a case: run and kept whole, run again and compared."""
