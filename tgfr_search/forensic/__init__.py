"""What a score is worth: likelihood ratios, thresholds, refusals, and measures of them all. Arrays in, numbers out."""
