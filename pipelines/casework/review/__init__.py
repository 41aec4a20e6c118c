"""Blind review of what a search found, by two people and, where they differ, a third."""
