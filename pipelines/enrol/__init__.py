"""A gallery made into an index: planned, encoded in batches, by one process or several."""
