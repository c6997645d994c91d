"""The rows about detector and energy filter."""

from eucentric.metadata.vocabulary.term import DERIVED_FIRST, REGISTRY_FIRST, Term

_OPTICS = "microscopeData/optics/"
_CAMERA = "microscopeData/acquisition/camera/"
_NX = "/entry/measurement/instrument/"

DETECTOR_TERMS = (
    Term(
        "detector.name",
        by=("file", "registry"),
        parameter="Detector / Camera",
        oscem="acquisition.detectors[].name",
        emdb="film_or_detector_model",
        mmcif="_em_image_recording.film_or_detector_model",
        epu="CustomData/DetectorCommercialName; CustomData/Detectors[*].CommercialName",
        serialem="title Camera -> N:NAME; GlobalAutodocEntry CameraN",
        velox="Detectors/*/DetectorName",
        ispyb="Detector.detectorModel",
        nxem=_NX + "detectorID/fabrication/model",
    ),
    Term(
        "detector.manufacturer",
        by=("registry",),
        precedence=REGISTRY_FIRST,
        ispyb="Detector.detectorManufacturer",
        nxem=_NX + "detectorID/fabrication/vendor",
    ),
    Term("detector.model", by=("registry",), precedence=REGISTRY_FIRST),
    Term(
        "detector.serial_number",
        by=("file", "registry"),
        epu="CustomData/Detectors[*].CameraSerialNumber",
        ispyb="Detector.detectorSerialNumber",
    ),
    Term("detector.number", serialem="CameraIndex"),
    Term("detector.location", epu=_CAMERA + "Name", serialem="SubFramePath"),
    Term(
        "detector.mode",
        by=("file", "registry"),
        parameter="Detector mode",
        precedence=DERIVED_FIRST,
        oscem="acquisition.detectors[].mode",
        emdb="detector_mode",
        mmcif="_em_image_recording.detector_mode",
        epu="CustomData/Detectors[*].ElectronCounted;"
        " microscopeData/acquisition/camera/CameraSpecificInput/ElectronCountingEnabled",
        serialem="Binning; OperatingMode",
        velox="Detectors/*/DetectorType",
        ispyb="Detector.detectorMode",
        nxem="NXdetector/acquisition_mode",
    ),
    Term(
        "detector.physical_pixel_size",
        by=("registry",),
        parameter="sampling interval",
        precedence=REGISTRY_FIRST,
        emdb="digitization_details/sampling_interval",
        mmcif="_em_image_scans.sampling_size",
        ispyb="Detector.detectorPixelSizeHorizontal",
        nxem="NXdetector/x_pixel_size",
    ),
    Term("detector.width", by=("registry",), precedence=REGISTRY_FIRST),
    Term("detector.height", by=("registry",), precedence=REGISTRY_FIRST),
    Term("detector.frame_rate", epu="CustomData/Detectors[*].FrameRate"),
    Term(
        "detector.counts_per_electron",
        serialem="CountsPerElectron",
        velox="CustomProperties/Detectors[*].CountsToElectrons/value",
    ),
    Term("detector.gain_corrected", epu="EpuSession.dm DoseFractionsOutputFormat"),
    Term(
        "detector.gain_reference",
        epu="CustomData/Detectors[*].EerGainReference; CustomData/Detectors[*].GainReference",
        serialem="GainReference",
    ),
    Term(
        "detector.gainref_flip_rotate",
        oscem="acquisition.gainref_flip_rotate",
        serialem="RotationAndFlip",
    ),
    Term("detector.defect_file", serialem="DefectFile"),
    Term("detector.mtf_file", by=("registry",), precedence=REGISTRY_FIRST),
    Term(
        "detector.collection_angle_minimal",
        oscem="acquisition.detectors[].collection_angle.minimal",
        velox="Detectors/*/CollectionAngleRange/begin",
    ),
    Term(
        "detector.collection_angle_maximal",
        oscem="acquisition.detectors[].collection_angle.maximal",
        velox="Detectors/*/CollectionAngleRange/end",
    ),
    Term(
        "detector.dispersion",
        oscem="acquisition.detectors[].dispersion",
        velox="Detectors/*/Dispersion",
    ),
    Term(
        "detector.details",
        by=("file", "operator"),
        parameter="details for camera",
        precedence=DERIVED_FIRST,
        emdb="details",
        mmcif="_em_image_recording.details",
        nxem="NXdetector/description",
    ),
)

ENERGY_FILTER_TERMS = (
    Term(
        "energy_filter.used",
        parameter="Energy filter",
        oscem="acquisition.energy_filter.used",
        emdb="specialist_optics/energy_filter",
        mmcif="_em_imaging_optics.energyfilter_name",
        epu=_OPTICS + "EnergyFilter/EnergySelectionSlitInserted",
        serialem="FilterSlitAndLoss",
        velox="EnergyFilter",
    ),
    Term(
        "energy_filter.model",
        by=("registry",),
        precedence=REGISTRY_FIRST,
        oscem="acquisition.energy_filter.model",
        emdb="specialist_optics/energy_filter/name",
        mmcif="_em_imaging_optics.energyfilter_name",
    ),
    Term(
        "energy_filter.width_energy_filter",
        parameter="energy filter slit width",
        oscem="acquisition.energy_filter.width_energy_filter",
        emdb="specialist_optics/energy_filter/slit_width",
        mmcif="_em_imaging_optics.energyfilter_slit_width",
        epu=_OPTICS + "EnergyFilter/EnergySelectionSlitWidth",
        serialem="FilterSlitAndLoss",
        ispyb="DataCollection.slitWidth",
    ),
    Term(
        "energy_filter.energy_loss",
        epu=_OPTICS + "EnergyFilter/EnergyShift",
        serialem="FilterSlitAndLoss",
    ),
)
