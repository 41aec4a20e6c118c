"""The vector spaces of an index: its rows under another model, from their crops or from their photos."""
