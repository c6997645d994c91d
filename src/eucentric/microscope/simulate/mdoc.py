"""The .mdoc file that SerialEM writes beside a movie."""

from datetime import datetime

from eucentric.microscope.simulate.exposure import Exposure
from eucentric.microscope.simulate.settings import SimulationSettings

_ANGSTROM_PER_MICROMETRE = 1e4
_FRAME_TIME = 0.1  # seconds
_CAMERA_PIXEL = 5e4  # Å, of a K3


def mdoc_text(
    settings: SimulationSettings,
    movie: str,
    exposure: Exposure,
    recorded: datetime,
    references: dict[str, str],
) -> str:
    """Write the .mdoc of one movie as SerialEM does for single exposures with frames.

    Args:
        settings: The session, as it is on the exposure's grid.
        movie: Path of the movie as the acquisition computer knows it.
        exposure: The exposure.
        recorded: When the exposure was made.
        references: Entries that name the gain reference and tell how it and the defects fit the frames.
    """
    when = recorded.strftime("%d-%b-%y  %H:%M:%S")
    frame_dose = settings.dose_per_frame
    target = -exposure.target_defocus / _ANGSTROM_PER_MICROMETRE
    entries = {
        "TiltAngle": "0.0",
        "StagePosition": f"{exposure.stage[0]:g} {exposure.stage[1]:g}",
        "StageZ": "0",
        "Magnification": f"{round(_CAMERA_PIXEL / settings.pixel_size, -3):g}",
        "Intensity": "0.1",
        "ExposureDose": f"{settings.dose:g}",
        "DoseRate": f"{frame_dose * settings.pixel_size**2 / _FRAME_TIME:g}",
        "PixelSpacing": f"{settings.pixel_size:g}",
        "SpotSize": "5",
        "Defocus": f"{target - 1.4:g}",
        "ImageShift": "0 0",
        "RotationAngle": "178.4",
        "ExposureTime": f"{settings.frames * _FRAME_TIME:g}",
        "Binning": "1",
        "CameraIndex": "1",
        "DividedBy2": "0",
        "OperatingMode": "1",
        "CountsPerElectron": "1",
        "TargetDefocus": f"{target:g}",
        "SubFramePath": movie,
        "NumSubFrames": f"{settings.frames}",
        "FrameDosesAndNumber": f"{frame_dose:g} {settings.frames}",
        "DateTime": when,
        "FilterSlitAndLoss": "20 0",
        "UncroppedSize": f"{-settings.width} {-settings.height}",
        **references,
    }
    lines = [
        f"T = SerialEM: Eucentric's simulated microscope        {when}",
        f"Voltage = {settings.voltage:g}",
    ]
    lines += ["", "[FrameSet = 0]", *(f"{key} = {value}" for key, value in entries.items()), ""]
    return "\n".join(lines)
