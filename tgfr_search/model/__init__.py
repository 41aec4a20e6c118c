"""FCAM and FCFM (paper §3.3–3.5), the model that joins them, its checkpoint and its scores."""
