"""A probe and a description searched in an index, and the answer explained."""
