"""What raised or lowered the score of a candidate, as data and as pictures."""
