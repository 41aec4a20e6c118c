"""Cases between laboratories: exported so that a stranger can check them, received under suspicion."""
