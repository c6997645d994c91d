"""Single-particle analysis."""
