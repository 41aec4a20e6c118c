"""The steps of training (PROTOCOL 5): step 0 to 3, the weights of the score, the attribute heads."""
