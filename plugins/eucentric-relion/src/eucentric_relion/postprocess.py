"""Masking, sharpening and judging a refined map with RELION."""

import numpy as np
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.formats import StarBlock, read_star, write_mrc, write_star
from eucentric.metadata import Angstrom
from eucentric_relion.images import keep_image, link_image
from eucentric_relion.items import RelionMap, SharpenedMap
from eucentric_relion.maps import read_volume, write_picture
from eucentric_relion.programs import MASK, POSTPROCESS, Arguments, seed
from eucentric_relion.tables import as_table

GENERAL = ("rlnFinalResolution", "rlnBfactorUsedForSharpening", "rlnRandomiseFrom")
_GUINIER_RESOLUTION = 9.0  # Å; from coarser maps no B-factor can be told


class RelionPostprocess(Protocol):
    """Mask a refined map, tell its resolution from its halves, and sharpen it, with RELION."""

    name = "relion-postprocess"
    version = "1"
    resources = Resources(memory=ByteSize(8 * 10**9))

    class Params(ProtocolParams):
        """The mask, and how much is sharpened."""

        mask_resolution: Angstrom = Field(
            default=15, gt=0, description="Detail of the map from which the mask is made."
        )
        mask_threshold: float | None = Field(
            default=None,
            description="Density of that map above which there is particle; by default five deviations of"
            " the solvent, and at least a tenth of the strongest density.",
        )
        extend: int = Field(default=3, ge=0, description="Voxels by which the mask is extended.")
        soft: int = Field(default=6, ge=1, description="Voxels over which the mask falls off after that.")
        b_factor: float | None = Field(
            default=None,
            description="B-factor to sharpen with (Å², negative); by default it is found from maps better"
            " than 9 Å, and others are not sharpened.",
        )

    def process(self, refined: RelionMap, task: Task) -> SharpenedMap:
        """Judge and sharpen one map."""
        if refined.half_paths is None:
            raise Rejected("there is no map of two halves yet")
        first, second = (read_volume(task.locate(path)) for path in refined.half_paths)
        smooth = _lowpassed(0.5 * (first + second), refined.pixel_size, self.params.mask_resolution)
        with Workplace.of(task) as place:
            write_mrc(place.path("smooth.mrc"), smooth, refined.pixel_size)
            threshold = self.params.mask_threshold
            if threshold is None:
                threshold = _threshold(smooth, refined.diameter / refined.pixel_size)
            arguments: Arguments = ["--i", "smooth.mrc", "--o", "mask.mrc", "--ini_threshold", threshold]
            arguments += ["--extend_inimask", self.params.extend, "--width_soft_edge", self.params.soft]
            MASK.run([*arguments, "--j", task.cpus], task, folder=place.folder, expects=["mask.mrc"])
            for name, path in zip(("half1.mrc", "half2.mrc"), refined.half_paths, strict=True):
                link_image(place, name, path, task)
            place.path("out").mkdir()
            POSTPROCESS.run(
                self._arguments(refined, task),
                task,
                folder=place.folder,
                expects=["out/map.mrc", "out/map_masked.mrc", "out/map.star"],
            )
            found = read_star(place.path("out/map.star"))
            path = keep_image(place, "out/map.mrc", "sharpened.mrc")
            masked_path = keep_image(place, "out/map_masked.mrc", "masked.mrc")
            mask_path = keep_image(place, "mask.mrc", "mask.mrc")
        return SharpenedMap(
            path=path,
            masked_path=masked_path,
            mask_path=mask_path,
            picture_path=write_picture(read_volume(task.folder / "sharpened.mrc"), task),
            box=refined.box,
            pixel_size=refined.pixel_size,
            mask_fraction=float(np.clip(read_volume(task.folder / "mask.mrc"), 0, 1).mean()),
            **_judged(found, task),
        )

    def _arguments(self, refined: RelionMap, task: Task) -> Arguments:
        arguments: Arguments = ["--i", "half1.mrc", "--i2", "half2.mrc", "--o", "out/map"]
        arguments += ["--mask", "mask.mrc", "--angpix", refined.pixel_size]
        arguments += ["--random_seed", seed(task)]
        b_factor = self.params.b_factor
        if b_factor is None and (refined.resolution or np.inf) < _GUINIER_RESOLUTION:
            return [*arguments, "--auto_bfac", "--autob_lowres", 10]
        return [*arguments, "--adhoc_bfac", b_factor or 0]


def _lowpassed(volume: NDArray[np.float32], pixel_size: float, resolution: float) -> NDArray[np.float32]:
    """Return a map [z, y, x] without what is finer than `resolution` (Å), with a soft edge."""
    box = len(volume)
    axis, half = np.fft.fftfreq(box, pixel_size), np.fft.rfftfreq(box, pixel_size)
    frequency = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + half**2)
    edge = 2 / (box * pixel_size)
    passed = np.clip((1 / resolution + edge - frequency) / edge, 0, 1)
    filtered = np.fft.irfftn(np.fft.rfftn(volume) * passed, s=volume.shape, axes=(0, 1, 2))
    return filtered.astype(np.float32)


def _threshold(smooth: NDArray[np.float32], diameter: float) -> float:
    """Return the density above which there is particle: what solvent, outside its sphere, does not reach."""
    axis = np.arange(len(smooth)) - len(smooth) // 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    solvent = smooth[radius > max(diameter / 2, radius.max() / 4)]
    return float(max(solvent.mean() + 5 * solvent.std(), np.percentile(smooth, 99.9) / 10))


def _judged(found: dict[str, StarBlock], task: Task) -> dict[str, float | str]:
    """Keep the correlation of the halves, and return what RELION makes of it."""
    general = as_table(found["general"])
    kept: dict[str, StarBlock] = {"fsc": as_table(found["fsc"])}
    told = {label: float(general[label].iloc[0]) for label in GENERAL if label in general}
    write_star(task.folder / "fsc.star", {"general": told, **kept})
    return {
        "fsc_path": task.keep("fsc.star"),
        "resolution": told["rlnFinalResolution"],
        "b_factor": told["rlnBfactorUsedForSharpening"],
    }
