"""What scores of a labelled set are worth: pairs behind likelihood ratios, and records of how good those are."""
