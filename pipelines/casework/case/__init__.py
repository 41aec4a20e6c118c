"""The folder of a case: evidence as it was received, files under a log, the rules of a laboratory, refusals."""
