"""The systems that a benchmark compares, each giving query and gallery vectors for the same images."""
