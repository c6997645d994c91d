"""torch-ctf-estimation, run in an environment of its own, as a protocol of Eucentric."""
