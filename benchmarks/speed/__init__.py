"""How fast it is and what it takes, as ratios to a limit or a peer in the same run."""
