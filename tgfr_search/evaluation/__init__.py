"""Verification, identification and their intervals: pure functions, arrays in, numbers out (ISO/IEC 19795-1)."""
