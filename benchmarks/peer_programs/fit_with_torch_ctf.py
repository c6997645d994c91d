"""Fits CTFs with torch-ctf-estimation, in its own environment: `python fit_with_torch_ctf.py JOBS RESULTS`.

`benchmarks/ctf_peers.py` says what is in the files.
"""

import json
import sys
import time
import types
from pathlib import Path

import mrcfile
import numpy as np
import torch


def gaussian_blur(image, kernel_size, sigma):
    """Stand for torchvision's function, whose package does not load beside the CPU build of PyTorch."""
    axis = torch.arange(kernel_size, dtype=image.dtype) - kernel_size // 2
    kernel = torch.exp(-((axis / sigma) ** 2) / 2)
    kernel = kernel / kernel.sum()
    half = kernel_size // 2
    padded = torch.nn.functional.pad(image, (half, half, half, half), mode="reflect")
    blurred = torch.nn.functional.conv2d(padded, kernel[None, None, None, :])
    return torch.nn.functional.conv2d(blurred, kernel[None, None, :, None])


torchvision, transforms, functional = (
    types.ModuleType(name)
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
)
functional.gaussian_blur = gaussian_blur
transforms.functional, torchvision.transforms = functional, transforms
for module in (torchvision, transforms, functional):
    sys.modules[module.__name__] = module

from torch_ctf_estimation import estimate_ctf  # noqa: E402
from torch_ctf_estimation.models import CTFFittingParams, OpticalParams  # noqa: E402

torch.set_num_threads(1)
results = []
jobs = json.loads(Path(sys.argv[1]).read_text())
for job in jobs:
    with mrcfile.open(job["path"], permissive=True) as mrc:
        image = torch.from_numpy(mrc.data.astype(np.float32))
    begin = time.process_time()
    optical = OpticalParams(
        pixel_spacing_angstroms=job["pixel_size"],
        voltage_kev=job["voltage"],
        spherical_aberration_mm=job["spherical_aberration"],
        amplitude_contrast_fraction=job["amplitude_contrast"],
        target_pixel_spacing_angstroms=1.8,
    )
    fitting = CTFFittingParams(
        defocus_grid_resolution=(1, 1, 1),
        frequency_fit_range_angstroms=(30.0, 4.0),
        defocus_range_microns=(0.2, 5.0),
        patch_sidelength=512,
    )
    _, _, found = estimate_ctf(image, optical, fitting)
    results.append(
        {
            "defocus_u": found.defocus_u * 1e4,
            "defocus_v": found.defocus_v * 1e4,
            "angle": found.astigmatism_angle,
            "cpu": time.process_time() - begin,
        }
    )
Path(sys.argv[2]).write_text(json.dumps(results))
