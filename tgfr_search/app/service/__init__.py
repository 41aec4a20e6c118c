"""One process on the laboratory's machine: an API and pages over galleries, cases and the log, closed by default."""
