"""Data sets: records from folders and tables, sampling, captions, the quality ladder."""
