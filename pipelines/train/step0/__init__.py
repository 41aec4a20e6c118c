"""Step 0 (not in the paper): a copy of a frozen face encoder, fine-tuned on poor pictures."""
