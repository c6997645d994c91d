"""Denoised micrographs, to look at and to pick from."""

from typing import Literal

import numpy as np
import torch
from pydantic import ByteSize, Field

from eucentric.engine.programs import ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import read_image, write_mrc, write_png
from eucentric.imaging import thumbnail
from eucentric.metadata import Micrograph
from eucentric_topaz.program import TOPAZ, where_to_compute


class TopazDenoise(Protocol):
    """Denoise micrographs with Topaz's pretrained networks.

    The result is for eyes and for picking; contrast transfer and particles are taken from the original.
    """

    name = "topaz-denoise"
    version = "1"
    # 3.3 GB for 2100 × 2100 pixels in pieces of the default size.
    resources = Resources(memory=ByteSize(5 * 10**9), gpus=1)

    class Params(ProtocolParams):
        """Which network."""

        model: Literal["unet", "unet-small", "affine"] = Field(
            default="unet", description="Topaz's pretrained network; the small one takes about half the time."
        )
        patch: int = Field(
            default=1024,
            ge=256,
            description="Edge in pixels of the pieces that are denoised one after the other; less needs less"
            " memory.",
        )

    def process(self, micrograph: Micrograph, task: Task) -> Micrograph:
        """Denoise one micrograph."""
        image = read_image(task.locate(micrograph.path)).astype(np.float32)
        with Workplace.of(task) as place:
            write_mrc(place.path("image.mrc"), image, micrograph.pixel_size)
            model = self.params.model
            # Topaz 0.3 takes the pretrained network from --arch, earlier ones from --model.
            chosen = ["--model", model, "--arch", model, "--patch-size", self.params.patch]
            done = TOPAZ.run(
                ["denoise", *where_to_compute(task), *chosen, "-o", "denoised", "image.mrc"],
                task,
                folder=place.folder,
                expects=["denoised/image.mrc"],
            )
            denoised = read_image(place.path("denoised/image.mrc")).astype(np.float32)
        if denoised.shape != image.shape or not np.isfinite(denoised).all():
            raise ProgramFailed(
                f"topaz {done.version} made no image of the same size with finite numbers of"
                f" {micrograph.path}; look whether the micrograph is damaged."
            )
        write_mrc(task.folder / "denoised.mrc", denoised, micrograph.pixel_size)
        write_png(task.folder / "thumbnail.png", thumbnail(torch.from_numpy(denoised)).numpy())
        return micrograph.model_copy(
            update={
                "path": task.keep("denoised.mrc"),
                "thumbnail_path": task.keep("thumbnail.png"),
                "unweighted_path": None,
                "spectrum_path": None,
                "spectrum_pixel_size": None,
                "halves_paths": None,
            }
        )
