"""Eucentric: from the first movie off the microscope to the DOI."""
