"""The rows about processing: its steps, and what came of them."""

from eucentric.metadata.vocabulary.term import PROCESSING_FIRST, Giver, Term

_BY: tuple[Giver, ...] = ("processing",)
_MOVIES = "processing.movies."
_CTFS = "processing.ctfs."
_FINAL = "image_processing/final_reconstruction/"
_REC = "_em_3d_reconstruction."


def _row(name: str, **counterparts: str) -> Term:
    return Term(f"processing.{name}", by=_BY, precedence=PROCESSING_FIRST, **counterparts)  # type: ignore[arg-type]


PROCESSING_TERMS = (
    _row(
        "frames_used",
        parameter="range of frames used",
        emdb="digitization_details/frames_per_image",
        mmcif="_em_image_scans.used_frames_per_image",
        icat="EMMotionCorrection_frame_range",
        nxem="NXprocess",
    ),
    _row("first_frame", empiar="imagesets[].frame_range_min", ispyb="MotionCorrection.firstFrame"),
    _row("last_frame", empiar="imagesets[].frame_range_max", ispyb="MotionCorrection.lastFrame"),
    _row(
        "dose_per_frame",
        oscem=_MOVIES + "dose_per_image",
        ispyb="MotionCorrection.dosePerFrame",
        icat="EMMotionCorrection_frame_dose",
    ),
    _row("initial_dose", oscem=_MOVIES + "initial_dose", icat="EM_dose_initial"),
    _row("total_dose", icat="EMMotionCorrection_total_dose"),
    _row("motion_total", ispyb="MotionCorrection.totalMotion", icat="EMMotionCorrection_total_motion"),
    _row(
        "motion_average",
        ispyb="MotionCorrection.averageMotionPerFrame",
        icat="EMMotionCorrection_average_motion",
    ),
    _row("micrographs", oscem="processing.micrographs.number_micrographs"),
    _row("micrographs_selected"),
    _row(
        "amplitude_contrast",
        oscem=_CTFS + "amplitude_contrast",
        emdb="image_processing/ctf_correction/amplitude_correction/factor",
        mmcif="_em_ctf_correction.amplitude_correction_factor",
        ispyb="CTF.amplitudeContrast",
        icat="EM_amplitude_contrast",
    ),
    _row("defocus_minimal", oscem=_CTFS + "defocus.output_min_defocus", icat="EMCTF_defocus_v"),
    _row("defocus_maximal", oscem=_CTFS + "defocus.output_max_defocus", icat="EMCTF_defocus_u"),
    _row("defocus_mean", oscem=_CTFS + "defocus.output_avg_defocus", ispyb="CTF.estimatedDefocus"),
    _row("astigmatism_mean", ispyb="CTF.astigmatism"),
    _row("astigmatism_angle", ispyb="CTF.astigmatismAngle", icat="EMCTF_angle"),
    _row("ctf_resolution_best", oscem=_CTFS + "resolution.output_min_resolution"),
    _row("ctf_resolution_worst", oscem=_CTFS + "resolution.output_max_resolution"),
    _row(
        "ctf_resolution_mean",
        oscem=_CTFS + "resolution.output_avg_resolution",
        ispyb="CTF.estimatedResolution",
        icat="EMCTF_resolution_limit",
    ),
    _row("ctf_score_mean", ispyb="CTF.ccValue", icat="EMCTF_correlation"),
    _row("ctf_b_factor", icat="EMCTF_estimated_b_factor"),
    _row(
        "particles_picked",
        oscem="processing.coordinates.number_particles",
        emdb="image_processing/particle_selection/number_selected",
        mmcif="_em_particle_selection.num_particles_selected",
    ),
    _row("particles_per_micrograph", oscem="processing.coordinates.particles_per_micrograph"),
    _row("particles_extracted"),
    _row(
        "picking_method",
        emdb="image_processing/particle_selection/method",
        mmcif="_em_particle_selection.method",
    ),
    _row("classes_2d", emdb="image_processing/final_two_d_classification/number_classes"),
    _row("resolution_2d", oscem="processing.classes2D.resolution_classes_2D"),
    _row(
        "classes_3d",
        emdb="image_processing/final_three_d_classification/number_classes",
        mmcif="_em_final_classification.num_classes",
    ),
    _row("tomograms", emdb="image_processing/extraction/number_tomograms"),
    _row(
        "particles_used",
        oscem="processing.volumes[].vol_number_particles",
        emdb=_FINAL + "number_images_used",
        mmcif=_REC + "num_particles",
    ),
    _row("angle_assignment", emdb="image_processing/final_angle_assignment/type"),
    _row("reconstruction_algorithm", emdb=_FINAL + "algorithm", mmcif=_REC + "algorithm"),
    _row(
        "symmetry",
        emdb=_FINAL + "applied_symmetry/point_group",
        mmcif="_em_single_particle_entity.point_symmetry",
    ),
    _row(
        "resolution",
        oscem="processing.volumes[].vol_resolution",
        emdb=_FINAL + "resolution",
        mmcif=_REC + "resolution",
    ),
    _row("resolution_method", emdb=_FINAL + "resolution_method", mmcif=_REC + "resolution_method"),
    _row(
        "b_factor",
        emdb=_FINAL + "reconstruction_filtering/b-factorSharpening/_brestore",
    ),
    _row("map_pixel_size", emdb="map/pixel_spacing", mmcif="_em_map.pixel_spacing_x"),
    _row(
        "map_box",
        oscem="processing.volumes[].size",
        emdb="map/dimensions",
        mmcif="_em_map.dimensions_col",
    ),
    _row("map_path", emdb="map/file", mmcif="_em_map.file"),
    _row("half_maps", emdb="interpretation/half_map_list"),
    _row("mask_path", emdb="interpretation/segmentation_list/segmentation/file"),
    _row("fsc_path", emdb="validation"),
)

PROCESSING_STEP_TERMS = (
    Term("processing_step.name", by=_BY),
    Term("processing_step.kind", by=_BY, mmcif="_em_software.category"),
    Term("processing_step.type", by=_BY),
    Term("processing_step.software", by=_BY, emdb="software_list/software/name", mmcif="_em_software.name"),
    Term(
        "processing_step.software_version",
        by=_BY,
        emdb="software_list/software/version",
        mmcif="_em_software.version",
    ),
    Term("processing_step.status", by=_BY),
    Term("processing_step.parameters", by=_BY, mmcif="_em_software.details"),
    Term("processing_step.inputs", by=_BY),
    Term("processing_step.results", by=_BY),
)
