"""Real projects: what RELION 3.1.3 and CCP-EM's pipeliner 1.6.1 left of small runs, without the images.

Sixty particles of 24² px at 7 Å in D6; the tables of every ring are cut from the models. Maps are put in as
they are called there.
"""

import shutil
from pathlib import Path

import numpy as np

from eucentric.formats import write_mrc

PROJECTS = Path(__file__).with_name("projects")
RELION, PIPELINER = "relion-3.1.3", "pipeliner-1.6.1"
MAPS = {
    RELION: (
        "Refine3D/job005/run_class001.mrc",
        "Refine3D/job005/run_half1_class001_unfil.mrc",
        "Refine3D/job005/run_half2_class001_unfil.mrc",
        "MaskCreate/job008/mask.mrc",
        "PostProcess/job009/postprocess.mrc",
    ),
    PIPELINER: (
        "Refine3D/job003/run_class001.mrc",
        "Refine3D/job003/run_half1_class001_unfil.mrc",
        "Refine3D/job003/run_half2_class001_unfil.mrc",
        "MaskCreate/job004/mask.mrc",
        "PostProcess/job005/postprocess.mrc",
    ),
}


def project(name: str, folder: Path) -> Path:
    """Copy a project into `folder`, with maps, and return its place."""
    place = folder / name
    shutil.copytree(PROJECTS / name, place)
    values = np.random.default_rng(1).normal(size=(24, 24, 24)).astype(np.float32)
    for file in MAPS[name]:
        write_mrc(place / file, values, 7.0)
    return place
