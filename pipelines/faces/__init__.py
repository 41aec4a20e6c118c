"""Photos of a data set made into faces and their features: found, cut out, encoded, cached."""
