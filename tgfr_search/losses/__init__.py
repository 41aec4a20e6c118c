"""Losses of the two training steps (paper Eq. 1–8)."""
