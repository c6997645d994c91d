"""The rows about single exposures. They have few counterparts: repositories want those of the acquisition."""

from eucentric.metadata.vocabulary.term import DERIVED_FIRST, EMG, HEADER_FIRST, PROCESSING_FIRST, Term

_OPTICS = "microscopeData/optics/"
_STAGE = "microscopeData/stage/Position/"
_CAMERA = "microscopeData/acquisition/camera/"

EXPOSURE_TERMS = (
    Term("exposure.name"),
    Term("exposure.path", precedence=HEADER_FIRST, serialem="SubFramePath", ispyb="Movie.movieFullPath"),
    Term(
        "exposure.date_time",
        epu="microscopeData/acquisition/acquisitionDateTime",
        serialem="DateTime",
        velox="Acquisition/AcquisitionStartDatetime/DateTime",
        ispyb="Movie.createdTimeStamp",
        nxem="eventID/start_time",
    ),
    Term("exposure.grid_square", epu="name of the folder GridSquare_N", ispyb="GridSquare.gridSquareLabel"),
    Term("exposure.foil_hole", epu="name of the file FoilHole_N", serialem="NavigatorLabel"),
    Term("exposure.area", epu="name of the file Data_N"),
    Term("exposure.image_shift_group"),
    Term(
        "exposure.nominal_defocus",
        epu="CustomData/AppliedDefocus",
        serialem="TargetDefocus",
        ispyb="Movie.nominalDefocus",
    ),
    Term("exposure.lens_defocus", epu=_OPTICS + "Defocus", serialem="Defocus", velox="Optics/Defocus"),
    Term(
        "exposure.calibrated_defocus",
        by=("processing",),
        precedence=PROCESSING_FIRST,
        serialem="CtfFind",
        ispyb="CTF.estimatedDefocus",
        icat="EMCTF_defocus_u; EMCTF_defocus_v",
    ),
    *(
        Term(
            f"exposure.stage_{axis}",
            epu=_STAGE + axis.upper(),
            serialem="StageZ" if axis == "z" else "StagePosition",
            velox=f"Stage/Position/{axis}",
            ispyb="" if axis == "z" else f"Movie.position{axis.upper()}",
            icat="" if axis == "z" else f"EM_position_{axis}",
            nxem="stageID/position",
        )
        for axis in "xyz"
    ),
    Term(
        "exposure.tilt_angle",
        epu=_STAGE + "A",
        serialem="TiltAngle",
        velox="Stage/AlphaTilt",
        ispyb="Movie.angle",
        icat="EM_tilt_angle",
        nxem="stageID/tilt1",
    ),
    Term("exposure.stage_beta", epu=_STAGE + "B", velox="Stage/BetaTilt", nxem="stageID/tilt2"),
    Term("exposure.image_shift_x", serialem="ImageShift", oscem="acquisition.imageshift"),
    Term("exposure.image_shift_y", serialem="ImageShift", oscem="acquisition.imageshift"),
    Term("exposure.beam_shift_x", epu=_OPTICS + "BeamShift/_x"),
    Term("exposure.beam_shift_y", epu=_OPTICS + "BeamShift/_y"),
    Term("exposure.beam_tilt_x", epu=_OPTICS + "BeamTilt/_x"),
    Term("exposure.beam_tilt_y", epu=_OPTICS + "BeamTilt/_y"),
    Term(
        "exposure.exposure_time",
        epu=_CAMERA + "ExposureTime",
        serialem="ExposureTime",
        velox="Scan/FrameTime; Detectors/*/ExposureTime",
        nxem="NXdetector/count_time",
    ),
    Term(
        "exposure.dose",
        tolerance=0.05,
        epu="CustomData/Dose; CustomData/DoseOnCamera",
        serialem="ExposureDose; FrameDosesAndNumber",
        ispyb="Movie.fluence",
    ),
    Term("exposure.dose_rate", tolerance=0.05, epu="CustomData/DoseRate", serialem="DoseRate"),
    Term(
        "exposure.initial_dose",
        tolerance=0.05,
        oscem="processing.movies.initial_dose",
        serialem="PriorRecordDose",
        icat="EM_dose_initial",
    ),
    Term(
        "exposure.frames",
        precedence=HEADER_FIRST,
        epu=_CAMERA + "CameraSpecificInput/FractionationSettings/NumberOffractions;"
        " CustomData/Detectors[*].FrameRate",
        serialem="NumSubFrames; FrameDosesAndNumber",
        ispyb="Movie.numberOfFrames",
        icat="EM_images_count",
    ),
    Term(
        "exposure.dose_per_frame",
        tolerance=0.05,
        serialem="FrameDosesAndNumber",
        ispyb="MotionCorrection.dosePerFrame",
        icat="EM_dose_per_frame",
    ),
    Term(
        "exposure.pixel_size",
        precedence=DERIVED_FIRST,
        epu="SpatialScale/pixelSize/x/numericValue",
        serialem="PixelSpacing",
        velox="BinaryResult/PixelSize/width",
        icat="EM_sampling_rate",
    ),
    Term(
        "exposure.width",
        precedence=HEADER_FIRST,
        epu=_CAMERA + "ReadoutArea/width",
        serialem="ImageSize",
    ),
    Term(
        "exposure.height",
        precedence=HEADER_FIRST,
        epu=_CAMERA + "ReadoutArea/height",
        serialem="ImageSize",
    ),
    Term("exposure.binning", precedence=DERIVED_FIRST, velox="Detectors/*/Binning/width"),
    Term(
        "exposure.shown_pixel_size",
        epu="SpatialScale/pixelSize/x/numericValue",
        serialem="PixelSpacing",
    ),
    Term("exposure.shown_width", epu=_CAMERA + "ReadoutArea/width", serialem="ImageSize; UncroppedSize"),
    Term("exposure.shown_height", epu=_CAMERA + "ReadoutArea/height", serialem="ImageSize; UncroppedSize"),
    Term("exposure.shown_binning", epu=_CAMERA + "Binning/x", serialem="Binning"),
    Term("exposure.scan_width", velox="Scan/ScanSize/width"),
    Term("exposure.scan_height", velox="Scan/ScanSize/height"),
    Term("exposure.scan_step"),
    Term("exposure.channels"),
    Term(
        "exposure.dwell_time",
        iri=f"{EMG}EMG_00000015",
        velox="Scan/DwellTime",
        nxem="NXscan_controller/dwell_time",
    ),
    Term("exposure.tilt_series", serialem="ImageFile"),
    Term("exposure.section", serialem="[ZValue = N]"),
)
