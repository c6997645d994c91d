"""The .mdoc file that SerialEM writes beside a movie."""

from datetime import datetime

from eucentric.microscope.simulate.settings import SimulationSettings

_ANGSTROM_PER_MICROMETRE = 1e4
_FRAME_TIME = 0.1  # seconds


def mdoc_text(
    settings: SimulationSettings,
    movie: str,
    target_defocus: float,
    stage: tuple[float, float],
    recorded: datetime,
) -> str:
    """Write the .mdoc of one movie as SerialEM does for single exposures with frames.

    Args:
        settings: The session.
        movie: Path of the movie as the acquisition computer knows it.
        target_defocus: Intended underfocus in Å; SerialEM's is in µm and negative.
        stage: Stage position (x, y) in µm.
        recorded: When the exposure was made.
    """
    when = recorded.strftime("%d-%b-%y  %H:%M:%S")
    frame_dose = settings.dose_per_frame
    entries = {
        "TiltAngle": "0.0",
        "StagePosition": f"{stage[0]:g} {stage[1]:g}",
        "StageZ": "0",
        "ExposureDose": f"{settings.dose:g}",
        "DoseRate": f"{frame_dose * settings.pixel_size**2 / _FRAME_TIME:g}",
        "PixelSpacing": f"{settings.pixel_size:g}",
        "ImageShift": "0 0",
        "ExposureTime": f"{settings.frames * _FRAME_TIME:g}",
        "Binning": "1",
        "CountsPerElectron": "1",
        "TargetDefocus": f"{-target_defocus / _ANGSTROM_PER_MICROMETRE:g}",
        "GainReference": "gain.mrc",
        "SubFramePath": movie,
        "NumSubFrames": f"{settings.frames}",
        "FrameDosesAndNumber": f"{frame_dose:g} {settings.frames}",
        "DateTime": when,
    }
    lines = [
        f"T = SerialEM: Eucentric's simulated microscope        {when}",
        f"Voltage = {settings.voltage:g}",
    ]
    lines += ["", "[FrameSet = 0]", *(f"{key} = {value}" for key, value in entries.items()), ""]
    return "\n".join(lines)
