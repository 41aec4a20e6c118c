"""The labels of a gallery: what its pictures contradict, for a person to decide."""
