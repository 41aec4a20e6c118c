"""Frozen face encoders and trainable text encoders."""
