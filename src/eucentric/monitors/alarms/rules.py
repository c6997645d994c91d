"""All rules in one table."""

from dataclasses import dataclass

from eucentric.monitors.alarms import disk, flow, quality
from eucentric.monitors.alarms.situation import Measure, Reading, Situation
from eucentric.store.alarm_settings import AlarmSettings


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: As in the settings.
        title: What is wrong, in a few words.
        looks_at: What is measured.
        unit: Of the thresholds; empty for a plain number.
        advice: What to do, in a sentence or two.
        measure: What measures it.
        of_acquisition: Whether it is about each acquisition by itself.
    """

    name: str
    title: str
    looks_at: str
    unit: str
    advice: str
    measure: Measure
    of_acquisition: bool = True


_ALL = (
    Rule(
        "no-movie",
        "No new movie",
        "time since the last movie was found; at least 5 times the usual interval",
        "min",
        "Look whether the microscope still records, whether its transfer runs, and whether the folder is the"
        " one that is watched.",
        flow.no_movie,
        of_acquisition=False,
    ),
    Rule(
        "counts",
        "Counts have changed",
        "median counts against the first 20 exposures of the acquisition",
        "%",
        "Check the beam: intensity, spot size, apertures, emission, energy slit; perhaps the ice is thicker.",
        quality.counts,
    ),
    Rule(
        "dose",
        "Counts do not fit the dose",
        "median counts against those that the stated dose should give",
        "%",
        "Check the stated dose and pixel size, whether an objective aperture or thick ice takes electrons,"
        " and whether the dose rate is too high for the camera.",
        quality.dose,
    ),
    Rule(
        "gain",
        "Gain reference looks wrong",
        "correlation of the corrected images with the gain reference, median",
        "",
        "Check that the reference belongs to this camera mode and day, and how it is flipped and turned; stop"
        " the collection if it must be recorded anew.",
        quality.gain,
    ),
    Rule(
        "gain-estimate",
        "Gain reference is wrong",
        "whether `estimate-gain` finds the gain reference wrong, missing, turned or out of date",
        "",
        "Do as the message says; or correct with the estimate: wire `gain` of `estimate-gain` to"
        " `align-movies`.",
        quality.gain_estimate,
    ),
    Rule(
        "defocus",
        "Defocus off target",
        "fitted minus intended defocus, median",
        "Å",
        "Check the autofocus, the eucentric height and the focus position, the tilt of the specimen.",
        quality.defocus,
    ),
    Rule(
        "astigmatism",
        "Astigmatism",
        "difference of the two defoci, median",
        "Å",
        "Correct the objective stigmator; look whether it was left alone after the aperture was moved.",
        quality.astigmatism,
    ),
    Rule(
        "resolution",
        "Resolution is poor",
        "resolution up to which CTF rings are fitted, median; at least 4 pixels",
        "Å",
        "Look at images and spectra: thick ice, drift, charging, misaligned beam, wrong focus.",
        quality.resolution,
    ),
    Rule(
        "motion",
        "Strong motion",
        "motion of the specimen during an exposure, median",
        "Å",
        "Wait longer after stage moves; check the stage, the cooling, the refill of nitrogen, vibrations.",
        quality.motion,
    ),
    Rule(
        "ice",
        "Crystalline ice",
        "power of the ring at 3.7 Å over its surroundings, minus one, median",
        "",
        "Choose other holes or another grid; check the temperature of the stage and the autoloader.",
        quality.ice,
    ),
    Rule(
        "rejected",
        "Many exposures rejected",
        "part of the exposures that was rejected",
        "%",
        "Read the reasons in the report; change the thresholds with `eucentric revise`, or the collection.",
        flow.rejected,
    ),
    Rule(
        "failed",
        "Many exposures fail",
        "part of the exposures that failed",
        "%",
        "Read the reasons with `eucentric status SESSION`; when mended, `eucentric retry`.",
        flow.failed,
    ),
    Rule(
        "dropped",
        "Frames are missing",
        "part of the frames that movies lack, mean",
        "%",
        "Check the disk and the network of the camera's computer.",
        quality.dropped,
    ),
    Rule(
        "metadata",
        "Metadata are missing",
        "part of the movies without metadata beside them, once some had",
        "%",
        "Look whether the transfer leaves out the acquisition program's files (.xml, .mdoc).",
        flow.metadata,
    ),
    Rule(
        "transfer",
        "Transfer falls behind",
        "time from a movie's last byte until it is found, median",
        "min",
        "Check the transfer program, the network and the disks at both ends; compare the clocks.",
        flow.transfer,
        of_acquisition=False,
    ),
    Rule(
        "processing",
        "Processing falls behind",
        "how long exposures wait for their CTF; as many as `last` must wait so long",
        "min",
        "See in the report what the machine is busy with; give the site more workers, or bin the movies.",
        flow.processing,
        of_acquisition=False,
    ),
    Rule(
        "disk",
        "Disk is filling up",
        "hours until a disk is full, from its last two hours",
        "h",
        "Free space (`eucentric volume SESSION` tells what takes it), or keep fewer sums.",
        disk.disk,
        of_acquisition=False,
    ),
    Rule(
        "engine",
        "The engine needs help",
        "whether the engine was killed, or holds back work",
        "",
        "See `eucentric status SESSION`; go on with `eucentric continue SESSION`.",
        flow.engine,
        of_acquisition=False,
    ),
    Rule(
        "publishing",
        "The report is not published",
        "whether the last try to publish the report failed",
        "",
        "Read the session's monitor.log; check the target and its keys.",
        flow.publishing,
        of_acquisition=False,
    ),
)
RULES = {rule.name: rule for rule in _ALL}
"""All rules by name, in the order in which they are shown."""


def measure(situation: Situation, settings: AlarmSettings) -> list[Reading]:
    """Return what all rules that are on measure now."""
    return [
        reading
        for rule in RULES.values()
        if not settings.of(rule.name).off
        for reading in rule.measure(rule.name, situation, settings.of(rule.name))
    ]
