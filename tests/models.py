"""Which shipped model the tests take that need any."""

FAST_MODEL = "tgfr-minilm-dlib"
"""It encodes in a fraction of the default's time."""
