"""The layout of SerialEM: frames with an .mdoc each, the gain reference and the defect list beside them."""

from pathlib import Path

from eucentric.formats import write_mrc
from eucentric.formats.gain_reference import orientation_between, turned
from eucentric.microscope.simulate.layouts import Layout, Recording
from eucentric.microscope.simulate.mdoc import mdoc_text

_ROTATION_AND_FLIP = 7  # a flip about the vertical axis, then three quarter turns counter-clockwise


class SerialEMLayout(Layout):
    """`GRID/frames/GRID_0001_Jan05_14.03.22.tif` with `.tif.mdoc`, `CountRef_….mrc` and `defects_….txt`.

    A K3 that counts: 8 bits, TIFF with LZW. Every grid's folder has its own copy of the references. The gain
    reference lies as the camera delivers its images, the frames are turned as `RotationAndFlip` says.
    """

    def _gain_path(self) -> Path:
        return self._frames_folders()[0] / self._reference_name("CountRef", "mrc")

    def begin(self) -> None:
        """Write the references of every grid."""
        for folder in self._frames_folders():
            folder.mkdir(parents=True, exist_ok=True)
            gain = turned(self.camera.gain, *orientation_between(_ROTATION_AND_FLIP, 0))
            write_mrc(folder / self._reference_name("CountRef", "mrc"), gain, self.settings.pixel_size)
            defects = folder / self._reference_name("defects", "txt")
            defects.write_text(self._defects(), encoding="ascii")

    def movie(self, recording: Recording) -> Path:
        """See `Layout`."""
        exposure, recorded = recording
        grid = self.settings.grid_of(exposure.number)
        name = self.settings.name if grid is None else grid.name
        when = recorded.strftime("%b%d_%H.%M.%S")
        return self.grid_folder(exposure) / "frames" / f"{name}_{exposure.number:04d}_{when}.tif"

    def metadata(self, recording: Recording, movie: Path) -> tuple[Path, str]:
        """See `Layout`."""
        references = {
            "DefectFile": self._reference_name("defects", "txt"),
            "GainReference": self._reference_name("CountRef", "mrc"),
            "RotationAndFlip": str(_ROTATION_AND_FLIP),
        }
        there = f"X:\\{self.folder.name}\\" + "\\".join(movie.relative_to(self.folder).parts)
        settings = self.settings.of(recording.exposure.number)
        return movie.with_name(movie.name + ".mdoc"), mdoc_text(settings, there, *recording, references)

    def _frames_folders(self) -> list[Path]:
        return [self.folder / grid.name / "frames" for grid in self.settings.grids] or [
            self.folder / "frames"
        ]

    def _reference_name(self, kind: str, suffix: str) -> str:
        return f"{kind}_{self.settings.name}_{self.began:%b%d_%H.%M.%S}.{suffix}"

    def _defects(self) -> str:
        """Write the list of known defects: dead columns, not the hot pixels, which came since.

        Coordinates count from the first column and from the top row of the frames as they lie.
        """
        lines = [f"CameraSizeX {self.settings.width}", f"CameraSizeY {self.settings.height}"]
        if len(self.camera.dead_columns):
            lines.append("BadColumns " + " ".join(str(x) for x in self.camera.dead_columns))
        return "\n".join(lines) + "\n"
