"""Probes that are kept beside an index and matched with every row that is enrolled after them."""
