"""The benchmark: systems scored on probes of falling quality, and what was measured written down."""
