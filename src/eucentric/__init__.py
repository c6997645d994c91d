"""Eucentric: from the first movie off the microscope to the DOI."""

import os

# Threads of PyTorch that wait for work shall sleep. As a rule they spin, which on a machine with other work
# takes two and a half times the CPU time and three times the wall-clock time. Read when PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
