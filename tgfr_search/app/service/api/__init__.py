"""What programs ask for: JSON in, JSON or a problem (RFC 9457) out."""
