"""Arrays in, arrays out: motion, CTF. Pure functions on tensors, usable alone."""
