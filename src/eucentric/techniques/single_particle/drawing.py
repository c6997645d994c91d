"""Pictures that explain themselves: a Typst template of this folder, with data and grey images, as PNG."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typst
from numpy.typing import NDArray

from eucentric.formats import write_png


def draw(
    path: Path,
    template: str,
    data: dict[str, Any],
    images: Mapping[str, NDArray[np.float32]],
    ppi: float = 144,
) -> None:
    """Draw a picture.

    Args:
        path: The picture, PNG.
        template: Its name. It reads `data.json` and has a single page, as large as what is on it.
        data: Strings and finite numbers.
        images: Images [y, x] from 0 (black) to 1 (white), by the names of their files.
        ppi: Dots an inch: a point of the template is 1/72 of an inch.
    """
    with tempfile.TemporaryDirectory(prefix="eucentric-picture-") as name:
        folder = Path(name)
        for file, image in images.items():
            write_png(folder / file, image, 0, 1)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False, allow_nan=False))
        shutil.copy(Path(__file__).with_name(template), folder)
        picture = typst.compile(
            folder / template, root=folder, ignore_system_fonts=True, format="png", ppi=ppi
        )
    if not isinstance(picture, bytes):
        raise TypeError(f"{template} has several pages")
    path.write_bytes(picture)
