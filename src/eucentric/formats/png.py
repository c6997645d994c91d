"""Pictures for people: PNG, 8 bit grey."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from eucentric.formats.replacing import replacing


def write_png(
    path: str | Path, image: NDArray[Any], black: float | None = None, white: float | None = None
) -> None:
    """Write an image [y, x] as a grey picture; its first row comes out at the bottom, as everywhere.

    Args:
        path: The file.
        image: Finite numbers.
        black: What is shown black, and all below; by default the 1st percentile.
        white: What is shown white, and all above; by default the 99th percentile.
    """
    low, high = np.percentile(image, (1, 99))
    low = low if black is None else black
    high = high if white is None else white
    scaled = (image.astype(np.float32) - low) / max(high - low, np.finfo(np.float32).tiny)
    grey = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    with replacing(Path(path)) as part:
        part.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(grey[::-1])))
