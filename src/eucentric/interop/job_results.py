"""What came of each job of RELION: the numbers that its STAR files hold, as readings of the vocabulary.

Sources: the files of RELION 3.0, 3.1, 4 and 5 themselves. Since 3.1 tables have optics groups; before, every
row says what its microscope was.
"""

from collections.abc import Callable, Iterator

from eucentric.formats.star_summary import BlockSummary
from eucentric.interop.job_maps import averaged, classified_2d, masked, post_processed, reconstructed
from eucentric.interop.job_reader import JobReader, Values, whole
from eucentric.interop.job_software import relion_version
from eucentric.interop.project_folder import ProjectFolder
from eucentric.interop.relion_jobs import Job
from eucentric.metadata.readings import Collector

_MOTION = ("rlnAccumMotionTotal",)
_CTF = ("rlnDefocusU", "rlnDefocusV", "rlnCtfMaxResolution", "rlnCtfFigureOfMerit")
_PICKERS = {
    "LoG": "Laplacian of Gaussian",
    "topaz_extract": "Topaz, a convolutional network",
    "ref": "template matching",
}


def results_of(folder: ProjectFolder, job: Job) -> JobReader:
    """Return the reader of a job that has read what came of it.

    Nothing comes of a job that failed or is only scheduled, or of a kind whose results are not known here.
    """
    reader = JobReader(folder, job)
    read = _READERS.get(job.kind)
    if read is not None and job.status in ("succeeded", "running", ""):
        read(reader)
    return reader


def _imported(reader: JobReader) -> None:
    for name in reader.folder.files(reader.job.name, "*.star"):
        if not name.endswith(("/job.star", "pipeline.star")):
            main = reader.table(name)
            if main is not None and "rlnMicrographMovieName" in main.columns:
                reader.counts["movies"] = main.rows


def _aligned(reader: JobReader) -> None:
    name = f"{reader.job.name}/corrected_micrographs.star"
    main = reader.table(name, *_MOTION)
    if main is not None:
        reader.add(name, {"processing.micrographs": (main.rows, "rows")})
        _motion(reader, name, main)
    first, last = reader.number("first_frame_sum"), reader.number("last_frame_sum")
    values: Values = {
        "processing.dose_per_frame": (_positive(reader.number("dose_per_frame")), "dose_per_frame"),
        "processing.initial_dose": (reader.number("preexposure", "pre_exposure"), "preexposure"),
        "processing.first_frame": (whole(first), "first_frame_sum"),
        "processing.last_frame": (whole(last), "last_frame_sum"),
    }
    reader.add(f"{reader.job.name}/note.txt" if reader.job.command else f"{reader.job.name}/job.star", values)


def _motion(reader: JobReader, name: str, main: BlockSummary) -> None:
    """Take in the motion, which RELION 3 writes in pixels of the movie; later ones are not known here."""
    optics = [each for each in reader.readings if each.term == "acquisition.pixel_size"]
    mean = main.numbers["rlnAccumMotionTotal"].mean if "rlnAccumMotionTotal" in main.numbers else None
    version = relion_version(reader.folder, reader.job) or ("3" if "." not in reader.job.type else "")
    if mean is not None and optics and version.startswith("3"):
        collector = Collector("processing", name)
        factor = float(str(optics[0].value))
        collector.scaled("processing.motion_total", mean, factor, "rlnAccumMotionTotal", "px")
        reader.readings += collector.readings


def _fitted(reader: JobReader) -> None:
    name = f"{reader.job.name}/micrographs_ctf.star"
    main = reader.table(name, *_CTF)
    if main is None:
        return
    u, v, resolution, score = (main.numbers.get(label) for label in _CTF)
    counts: Values = {"processing.micrographs": (main.rows, "rows")}
    if score and score.count:
        counts["processing.ctf_score_mean"] = (score.mean, "rlnCtfFigureOfMerit")
    reader.add(name, counts)
    values: Values = {}
    if u and v and u.count and v.count:
        means = (u.mean or 0.0), (v.mean or 0.0)
        values |= {
            "processing.defocus_minimal": (v.minimum, "rlnDefocusV"),
            "processing.defocus_maximal": (u.maximum, "rlnDefocusU"),
            "processing.defocus_mean": (sum(means) / 2, "rlnDefocusU, rlnDefocusV"),
            "processing.astigmatism_mean": (max(0.0, means[0] - means[1]), "rlnDefocusU, rlnDefocusV"),
        }
    if resolution and resolution.count:
        values |= {
            "processing.ctf_resolution_best": (resolution.minimum, "rlnCtfMaxResolution"),
            "processing.ctf_resolution_worst": (resolution.maximum, "rlnCtfMaxResolution"),
            "processing.ctf_resolution_mean": (resolution.mean, "rlnCtfMaxResolution"),
        }
    reader.add(name, values, "Å")


def _picked(reader: JobReader) -> None:
    """Take in the number of picks: of the summary, where there is one, else of all coordinate files."""
    name = f"{reader.job.name}/summary.star"
    main = reader.table(name, "rlnGroupNrParticles")
    counted = main.numbers.get("rlnGroupNrParticles") if main else None
    if main and counted and counted.count:
        total, micrographs = round(counted.total), main.rows
    else:
        name, tables = reader.job.name, list(_coordinates(reader))
        total, micrographs = sum(tables), len(tables)
    if micrographs:
        values: Values = {
            "processing.particles_picked": (total, "rows"),
            "processing.particles_per_micrograph": (total / micrographs, "rows"),
        }
        method = next((how for flag, how in _PICKERS.items() if flag in reader.flags), None)
        values["processing.picking_method"] = (method, "command")
        reader.add(name, values)


def _coordinates(reader: JobReader) -> Iterator[int]:
    """Yield the number of picks in each coordinate file."""
    for name in reader.folder.files(reader.job.name, "**/*.star"):
        if name.endswith(("pick.star", "_picks.star")) and "/coords_suffix" not in name:
            found = reader.star(name)
            if found is None:
                continue
            picks = [block for block in found.blocks.values() if "rlnCoordinateX" in block.columns]
            if picks:
                yield picks[0].rows


def _extracted(reader: JobReader) -> None:
    name = f"{reader.job.name}/particles.star"
    main = reader.table(name)
    if main is not None:
        reader.add(name, {"processing.particles_extracted": (main.rows, "rows")})


def _selected(reader: JobReader) -> None:
    for what in ("particles", "micrographs"):
        for name in reader.folder.files(reader.job.name, f"{what}*.star"):
            main = reader.table(name)
            if main is None:
                continue
            reader.counts[what] = reader.counts.get(what, 0) + main.rows
            if what == "micrographs":
                reader.add(name, {"processing.micrographs_selected": (reader.counts[what], "rows")})


def _tomograms(reader: JobReader) -> None:
    name = f"{reader.job.name}/tomograms.star"
    main = reader.table(name)
    if main is not None:
        reader.add(name, {"processing.tomograms": (main.rows, "rows")})


def _particles(reader: JobReader) -> None:
    """Take in how many particles a job that made particles has."""
    for ending in ("particles.star", "shiny.star", "particles_ctf_refine.star", "join_particles.star"):
        main = reader.table(f"{reader.job.name}/{ending}")
        if main is not None:
            reader.counts["particles"] = main.rows


def _positive(number: float | None) -> float | None:
    return number if number is not None and number > 0 else None


_READERS: dict[str, Callable[[JobReader], None]] = {
    "import": _imported,
    "motion correction": _aligned,
    "CTF estimation": _fitted,
    "particle picking": _picked,
    "particle extraction": _extracted,
    "selection": _selected,
    "2D classification": classified_2d,
    "initial model": reconstructed,
    "3D classification": reconstructed,
    "3D refinement": reconstructed,
    "tomogram reconstruction": _tomograms,
    "subtomogram averaging": averaged,
    "mask creation": masked,
    "post-processing": post_processed,
    "CTF refinement": _particles,
    "particle polishing": _particles,
    "subtraction": _particles,
    "other": _particles,
}
