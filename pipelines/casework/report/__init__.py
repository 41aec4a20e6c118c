"""What a case tells: to whoever opens it, and, once it is released, as a report."""
