"""Encoding a gallery in several processes or machines with Ray."""
