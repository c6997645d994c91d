"""Bytes to arrays and headers and back, one file per format. No state."""
