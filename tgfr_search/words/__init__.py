"""Descriptions in English, read by rules: what they assert, deny, leave open."""
