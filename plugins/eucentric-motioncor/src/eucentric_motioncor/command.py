"""MotionCor3's command line.

The gain and dark references are given to it as Eucentric applies them itself: turned and flipped as the item
says, multiplying, as large as the frames, rows as in MRC files; so `-RotGain`, `-FlipGain` and `-InvGain` are
not used. (They are documented to mean the same as `Gain.rotation` and `Gain.flip`: quarter turns
counter-clockwise, then 1 for top-bottom or 2 for left-right. But MotionCor3 turns a `.gain` file of an EER
camera upside down, as it does any TIFF, reads no DM4, and does not reduce a reference that is finer than the
frames.)
"""

from dataclasses import dataclass
from itertools import pairwise

from eucentric.formats import EERRendering
from eucentric.metadata import Movie

LOGS = "log"
FRACTIONS = "fractions.txt"


@dataclass(frozen=True)
class Options:
    """What a user chooses.

    Attributes:
        patches: Patches along x and y; 0 moves frames as a whole.
        b_factors: B-factors in pixels squared of the frames as a whole and of patches.
        iterations: Most iterations.
        tolerance: Pixels.
        binning: By how much micrographs are smaller than movies.
        dose_weighting: Whether a weighted sum is made, where the dose is known.
        halves: Whether the sums of odd and even frames are.
    """

    patches: tuple[int, int]
    b_factors: tuple[float, float]
    iterations: int
    tolerance: float
    binning: float
    dose_weighting: bool
    halves: bool


def arguments(movie: Movie, kind: str, options: Options, references: dict[str, str]) -> list[str]:
    """Return the arguments for a movie that lies as `movie.KIND` in the working folder.

    Args:
        movie: Its item.
        kind: "mrc", "tif" or "eer".
        options: What the user chose.
        references: Any of "-Gain", "-Dark" and "-DefectMap", and the file (MRC) there.
    """
    tag = {"mrc": "-InMrc", "tif": "-InTiff", "eer": "-InEer"}[kind]
    given: list[str | float] = [tag, f"movie.{kind}", "-OutMrc", "sum.mrc", "-LogDir", LOGS]
    for name, file in references.items():
        given += [name, file]
    if kind == "eer":
        given += ["-EerSampling", movie.upsampling, "-FmIntFile", FRACTIONS]
    given += ["-PixSize", movie.pixel_size, "-kV", round(movie.voltage)]
    if options.dose_weighting and movie.dose_per_frame > 0:
        given += ["-FmDose", dose_per_raw_frame(movie), "-InitDose", movie.pre_exposure]
    if min(options.patches) > 1:
        given += ["-Patch", *options.patches]
    given += ["-Bft", *options.b_factors, "-Iter", options.iterations, "-Tol", options.tolerance]
    given += ["-FtBin", options.binning]
    # No sum over a part of the dose, and no contrast transfer function.
    given += ["-SumRange", 0, 0, "-Cs", 0]
    if options.halves:
        given += ["-SplitSum", 1]
    given += ["-Gpu", 0]
    return [each if isinstance(each, str) else f"{each:.6g}" for each in given]


def fractions(movie: Movie) -> str:
    """Return the text of `-FmIntFile` for an EER movie, with the same fractions as Eucentric reads.

    A line for each: camera frames, how many of them are summed, dose (e⁻/Å²) of one.
    """
    assert movie.raw_frames is not None
    edges = EERRendering(movie.upsampling, movie.frames).boundaries(movie.raw_frames)
    sizes = [last - first for first, last in pairwise(edges)]
    return "".join(f"{size} {size} {dose_per_raw_frame(movie):.8f}\n" for size in sizes)


def dose_per_raw_frame(movie: Movie) -> float:
    """Return the dose of one frame of the file in e⁻/Å²: of EER, of one camera frame."""
    if movie.raw_frames is None:
        return movie.dose_per_frame
    return movie.dose_per_frame * movie.frames / movie.raw_frames
