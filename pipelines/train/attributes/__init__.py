"""What a model says of a face: the attribute heads, and the directions of statements."""
