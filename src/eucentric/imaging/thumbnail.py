"""Small pictures of micrographs."""

import torch
from torch import Tensor

from eucentric.imaging import fourier

_SOFTNESS = 0.35  # cycles per pixel of the thumbnail at which contrast has fallen to 1/e


def thumbnail(image: Tensor, longest: int = 512) -> Tensor:
    """Return an image [y, x] reduced to at most `longest` pixels along its longer side, lightly low-passed.

    Frequencies that the small picture cannot hold are cut off, not folded back, so that the noise of a
    micrograph goes and its particles stay.
    """
    shape = (image.shape[0], image.shape[1])
    factor = min(1.0, longest / max(shape))
    small = (max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor)))
    transform = fourier.resize_transform(fourier.rfft2(image), shape, small)
    x, y = fourier.frequencies(small, device=image.device)
    transform *= torch.exp(-(x**2 + y**2) / _SOFTNESS**2)
    return fourier.irfft2(transform, small)
