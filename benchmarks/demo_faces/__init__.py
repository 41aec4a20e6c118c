"""The statistical shape of faces that the synthetic gallery is drawn from, and the look at how good it is."""
