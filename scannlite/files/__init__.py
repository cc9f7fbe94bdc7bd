"""Bytes to arrays and back. Knows arrays, never engines."""
