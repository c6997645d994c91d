"""Runs torch-ctf-estimation in its own environment: `python driver.py JOB RESULT`, both JSON.

It imports nothing of Eucentric. The job names the image (NumPy's format, [y, x], float32) and the parameters
in the library's units; the result holds what it found, in its units and with its signs.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def gaussian_blur(image: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """Blur images [..., channel, y, x] with a Gaussian of an odd number of taps; edges are mirrored."""
    reach = kernel_size // 2
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=image.device) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image.dtype)
    padded = functional.pad(image, [reach] * 4, mode="reflect")
    channels = image.shape[-3]
    along_x = kernel.expand(channels, 1, 1, -1)
    blurred = functional.conv2d(padded, along_x, groups=channels)
    return functional.conv2d(blurred, along_x.transpose(-1, -2), groups=channels)


def stand_in_for_torchvision() -> None:
    """Give the library the one function that it wants of torchvision."""
    names = ["torchvision", "torchvision.transforms", "torchvision.transforms.functional"]
    modules = [ModuleType(name) for name in names]
    for parent, child in pairwise(modules):
        setattr(parent, child.__name__.rpartition(".")[2], child)
    modules[-1].gaussian_blur = gaussian_blur  # type: ignore[attr-defined]
    sys.modules.update(zip(names, modules, strict=True))


def estimate(job: dict[str, Any]) -> dict[str, float | None]:
    """Fit one micrograph."""
    stand_in_for_torchvision()
    from torch_ctf_estimation import (  # type: ignore[import-not-found]
        CTFFittingParams,
        OpticalParams,
        estimate_ctf,
    )

    torch.set_num_threads(job["threads"])
    image = torch.from_numpy(np.load(job["image"], allow_pickle=False))
    _, _, found = estimate_ctf(
        image,
        OpticalParams(**job["optics"]),
        CTFFittingParams(defocus_grid_resolution=(1, 1, 1), **job["fitting"]),
    )
    return {
        "defocus": float(found.defocus_model.data.mean()),
        "astigmatism": float(found.astigmatism),
        "astigmatism_angle": float(found.astigmatism_angle),
        "phase_shift": None if found.phase_shift_degrees is None else float(found.phase_shift_degrees),
    }


if __name__ == "__main__":
    wanted = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(estimate(wanted)))
