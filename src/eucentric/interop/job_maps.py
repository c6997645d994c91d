"""What came of RELION's jobs that make classes and maps.

Resolutions are where two halves correlate to 0.143 ("gold standard") in refinement and post-processing, and
where the signal falls below the noise in classification.
"""

from eucentric.formats.star_summary import BlockSummary, StarSummary
from eucentric.interop.job_reader import JobReader, Values, whole

GOLD_STANDARD = "FSC 0.143 CUT-OFF"


def _model(reader: JobReader) -> tuple[str, StarSummary] | None:
    name = reader.folder.newest(reader.job.name, "_model.star") or reader.folder.newest(
        reader.job.name, "_half1_model.star"
    )
    found = reader.star(name, "rlnEstimatedResolution")
    return (name, found) if name and found else None


def _used(reader: JobReader) -> int | None:
    main = reader.table(reader.folder.newest(reader.job.name, "_data.star"))
    if main is not None:
        reader.counts["particles"] = main.rows
    return None if main is None else main.rows


def classified_2d(reader: JobReader) -> None:
    """Take in the number of classes, and the resolution of the best."""
    _used(reader)
    if model := _model(reader):
        name, found = model
        classes = found.blocks.get("model_classes", BlockSummary())
        resolution = classes.numbers.get("rlnEstimatedResolution")
        values: Values = {
            "processing.classes_2d": (classes.rows or None, "model_classes"),
            "processing.resolution_2d": (
                resolution.minimum if resolution and resolution.count else None,
                "rlnEstimatedResolution",
            ),
        }
        reader.add(name, values)


def reconstructed(reader: JobReader) -> None:
    """Take in what a 3D classification, refinement or first map says of its maps."""
    used = _used(reader)
    model = _model(reader)
    if model is None:
        return
    name, found = model
    general = found.blocks.get("model_general", BlockSummary())
    classes = found.blocks.get("model_classes", BlockSummary())
    refined = reader.job.kind == "3D refinement"
    values: Values = {
        "processing.particles_used": (used, "rows of the table of particles"),
        "processing.resolution": (general.number("rlnCurrentResolution"), "rlnCurrentResolution"),
        "processing.resolution_method": (GOLD_STANDARD if refined else "OTHER", reader.job.type),
        "processing.map_pixel_size": (general.number("rlnPixelSize"), "rlnPixelSize"),
        "processing.map_box": (whole(general.number("rlnOriginalImageSize")), "rlnOriginalImageSize"),
        "processing.angle_assignment": ("maximum likelihood", reader.job.type),
        "processing.reconstruction_algorithm": ("Fourier space", reader.job.type),
    }
    if reader.job.kind == "3D classification":
        values["processing.classes_3d"] = (classes.rows or None, "model_classes")
    reader.add(name, values)
    _symmetry(reader)
    _maps(reader, refined)


def _symmetry(reader: JobReader) -> None:
    name = reader.folder.newest(reader.job.name, "_sampling.star")
    found = reader.star(name)
    block = found.blocks.get("sampling_general") if found else None
    group = block.text("rlnSymmetryGroup") if block else None
    if group and name:
        reader.add(name, {"processing.symmetry": (group.upper(), "rlnSymmetryGroup")})
    elif group := reader.option("sym", "sym_name"):
        reader.add(f"{reader.job.name}/job.star", {"processing.symmetry": (group.upper(), "sym")})


def _maps(reader: JobReader, refined: bool) -> None:
    place = reader.folder
    halves = [place.newest(reader.job.name, f"_half{half}_class001_unfil.mrc") for half in (1, 2)]
    path = place.newest(reader.job.name, "_class001.mrc")
    values: Values = {}
    if path and (refined or reader.job.kind == "initial model"):
        values["processing.map_path"] = (path, "file")
    if halves[0] and halves[1]:
        values["processing.half_maps"] = (f"{halves[0]} {halves[1]}", "files")
    reader.add(reader.job.name, values)


def averaged(reader: JobReader) -> None:
    """Take in what a subtomogram average was made of: its set of tables names that of the particles."""
    name = f"{reader.job.name}/optimisation_set.star"
    found = reader.star(name)
    tables = [block.text("rlnTomoParticlesFile") for block in found.blocks.values()] if found else []
    main = reader.table(tables[0]) if tables else None
    place = reader.folder
    map_, halves = f"{reader.job.name}/merged.mrc", [f"{reader.job.name}/half{half}.mrc" for half in (1, 2)]
    values: Values = {
        "processing.particles_used": (main.rows if main else None, "rlnTomoParticlesFile"),
        "processing.map_path": (map_ if place.locate(map_) else None, "file"),
        "processing.half_maps": (" ".join(halves) if all(map(place.locate, halves)) else None, "files"),
        "processing.reconstruction_algorithm": ("Fourier space", reader.job.type),
    }
    reader.add(name, values)
    _symmetry(reader)


def masked(reader: JobReader) -> None:
    """Take in where the mask is."""
    name = f"{reader.job.name}/mask.mrc"
    if reader.folder.locate(name):
        reader.add(reader.job.name, {"processing.mask_path": (name, "file")})


def post_processed(reader: JobReader) -> None:
    """Take in resolution and sharpening, and the maps, the mask and the correlation that they are of."""
    name = f"{reader.job.name}/postprocess.star"
    found = reader.star(name)
    general = found.blocks.get("general") if found else None
    if general is None:
        return
    halves = [general.text(f"rlnUnfilteredMapHalf{half}") for half in (1, 2)]
    inside = [half for half in halves if half and reader.folder.locate(half)]
    mask = general.text("rlnMaskName")
    map_, curve = f"{reader.job.name}/postprocess.mrc", f"{reader.job.name}/postprocess_fsc.xml"
    values: Values = {
        "processing.resolution": (general.number("rlnFinalResolution"), "rlnFinalResolution"),
        "processing.resolution_method": (GOLD_STANDARD, reader.job.type),
        "processing.b_factor": (
            general.number("rlnBfactorUsedForSharpening"),
            "rlnBfactorUsedForSharpening",
        ),
        "processing.map_path": (map_ if reader.folder.locate(map_) else None, "file"),
        "processing.half_maps": (
            " ".join(inside) if len(inside) == 2 else None,
            "rlnUnfilteredMapHalf1, rlnUnfilteredMapHalf2",
        ),
        "processing.mask_path": (mask if mask and reader.folder.locate(mask) else None, "rlnMaskName"),
        "processing.fsc_path": (curve if reader.folder.locate(curve) else name, "file"),
    }
    reader.add(name, values)
    outside = [each for each in (*halves, mask) if each and not reader.folder.locate(each)]
    if outside:
        reader.refused.append(
            f"{name}: {', '.join(outside)} is not within the project, or gone; it is left out."
        )
