"""The particle that the simulated microscope looks at: GroEL, Protein Data Bank entry 1MNF."""

from functools import cache
from importlib.resources import as_file, files

import gemmi
import numpy as np

from eucentric.imaging.specimen import Molecule, make_molecule


@cache
def groel() -> Molecule:
    """Return the protein atoms of 1MNF (Wang & Chen (2003), J. Mol. Biol. 334:489), read once per process."""
    with as_file(files("eucentric.microscope") / "data" / "1MNF.pdb.gz") as path:
        structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    structure.remove_ligands_and_waters()
    structure.remove_hydrogens()
    atoms = [atom for chain in structure[0] for residue in chain for atom in residue]
    coordinates = np.array([atom.pos.tolist() for atom in atoms])
    return make_molecule(coordinates, [atom.element.name for atom in atoms])
