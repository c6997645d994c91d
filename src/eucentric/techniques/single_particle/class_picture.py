"""The picture of 2D classes: averages, each with its number, its particles and how fine it is."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eucentric.techniques.single_particle.drawing import draw

CLASS_PICTURE = "averages.png"
_TEMPLATE = "class_picture.typ"
_DIMMED = 0.35
_TILE = 66  # points, as in the template
_PPI = (100, 200)


def draw_classes(folder: Path, averages: NDArray[np.float32], table: pd.DataFrame) -> None:
    """Draw `averages.png`: selected classes first, large ones first; those not selected are dimmed.

    Args:
        folder: Where to.
        averages: Averages [class, y, x], particles white.
        table: Their rows of RELION's `model_classes`, with `rlnClassNumber`, `rlnSelected`,
            `rlnGroupNrParticles` and `rlnEstimatedResolution` (Å).
    """
    number = table["rlnClassNumber"].to_numpy(int)
    particles = table["rlnGroupNrParticles"].to_numpy(int)
    resolution = table["rlnEstimatedResolution"].to_numpy(float)
    selected = table["rlnSelected"].to_numpy(bool)
    images, tiles = {}, []
    for place in np.lexsort((-particles, ~selected)):
        low, high = np.percentile(averages[place], (2, 99.7))
        grey = np.clip((averages[place] - low) / max(high - low, 1e-9), 0, 1)
        images[f"{number[place]}.png"] = grey if selected[place] else _DIMMED * grey
        tiles.append(
            {
                "number": int(number[place]),
                "particles": int(particles[place]),
                "resolution": round(float(resolution[place]), 1) if resolution[place] < 100 else None,
                "selected": bool(selected[place]),
            }
        )
    data = {"columns": math.ceil(math.sqrt(1.6 * len(tiles))), "classes": tiles}
    fine = min(max(averages.shape[-1] / _TILE * 72, _PPI[0]), _PPI[1])
    draw(folder / CLASS_PICTURE, _TEMPLATE, data, images, fine)
