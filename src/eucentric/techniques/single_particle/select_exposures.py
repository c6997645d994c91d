"""Which exposures are worth working on: thresholds that people revise while the stream runs."""

from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import ByteSize, Field, model_validator

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.metadata import CTF, Angstrom, ExposureMetadata, Micrograph


class Selected(NamedTuple):
    """An exposure that passed, as it came."""

    micrograph: Micrograph
    ctf: CTF


class Criterion(NamedTuple):
    """One figure of an exposure, and what it has to keep to; a figure or a limit of None is not asked for."""

    words: str
    value: float | None
    least: float | None
    most: float | None
    unit: str = ""
    digits: int = 0
    too_low: str = "is less than"
    too_high: str = "exceeds"

    def failure(self) -> str | None:
        """Return what is wrong, in words with value and limit, or None."""
        if self.value is None:
            return None
        if self.least is not None and self.value < self.least:
            return self._compared(self.value, self.too_low, self.least)
        if self.most is not None and self.value > self.most:
            return self._compared(self.value, self.too_high, self.most)
        return None

    def _compared(self, value: float, words: str, limit: float) -> str:
        # Values on two sides of a limit do not read alike: as many digits as that takes.
        digits = self.digits
        while digits < 6 and round(value, digits) == round(limit, digits):
            digits += 1
        return f"{self.words} {value:,.{digits}f}{self.unit} {words} {limit:,.{digits}f}{self.unit}"


class SelectExposures(Protocol):
    """Pass the exposures that keep to every threshold, and reject the others with all their reasons."""

    name = "select-exposures"
    version = "1"
    resources = Resources(memory=ByteSize(300 * 10**6))

    class Params(ProtocolParams):
        """Thresholds; one that is left empty is not used, and a figure that is not known rejects nothing."""

        worst_resolution: Angstrom | None = Field(
            default=10, gt=0, description="Worst resolution up to which rings are fitted."
        )
        min_confidence: float | None = Field(
            default=0.3, ge=0, le=1, description="Least probability that the CTF is fitted rightly."
        )
        min_defocus: Angstrom | None = Field(default=None, description="Smallest defocus, underfocus > 0.")
        max_defocus: Angstrom | None = Field(default=None, description="Largest defocus.")
        max_defocus_error: Angstrom | None = Field(
            default=None, ge=0, description="Largest distance of the defocus from the intended one."
        )
        max_astigmatism: Angstrom | None = Field(
            default=2_000, ge=0, description="Largest difference between defocus U and V."
        )
        max_motion_total: Angstrom | None = Field(
            default=100, ge=0, description="Longest path of the specimen during the movie."
        )
        max_motion_early: Angstrom | None = Field(
            default=None, ge=0, description="Longest path over the first 4 e⁻/Å²."
        )
        max_motion_late: Angstrom | None = Field(
            default=40, ge=0, description="Longest path after the first 4 e⁻/Å²: drift of the stage."
        )
        max_motion_local: Angstrom | None = Field(
            default=None, ge=0, description="Most motion that is not the whole field's, root mean square."
        )
        max_ice_ring: float | None = Field(
            default=0.5, ge=0, description="Most power of the ice ring at 3.7 Å over its surroundings."
        )
        min_counts: float | None = Field(
            default=None, description="Least mean counts per pixel and frame, corrected by the gain."
        )
        min_counts_ratio: float | None = Field(
            default=None, ge=0, description="Least part of the counts that the stated dose makes."
        )
        max_counts_ratio: float | None = Field(
            default=None, gt=0, description="Most counts, as a multiple of those that the stated dose makes."
        )
        max_gain_residual: float | None = Field(
            default=None,
            ge=0,
            le=1,
            description="Largest correlation, of either sign, of the movie with its gain reference.",
        )

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            pairs = (("min_defocus", "max_defocus"), ("min_counts_ratio", "max_counts_ratio"))
            for lower, upper in pairs:
                low, high = getattr(self, lower), getattr(self, upper)
                if low is not None and high is not None and low >= high:
                    raise ValueError(f"{lower} must be smaller than {upper}")
            return self

    def process(
        self, micrograph: Micrograph, ctf: CTF, metadata: ExposureMetadata | None, task: Task
    ) -> Selected:
        """Pass one exposure on, or reject it."""
        criteria = (*self._of_ctf(ctf, metadata), *self._of_micrograph(micrograph))
        failures = [failure for each in criteria if (failure := each.failure()) is not None]
        if failures:
            raise Rejected("; ".join(failures))
        asked = sum(each.value is not None and (each.least, each.most) != (None, None) for each in criteria)
        task.log.info("all of the %d figures that are asked for and known keep to their thresholds", asked)
        return Selected(micrograph, ctf)

    def _of_ctf(self, ctf: CTF, metadata: ExposureMetadata | None) -> Iterator[Criterion]:
        limits = self.params
        target = metadata.target_defocus if metadata is not None else None
        error = abs(ctf.defocus - target) if target is not None else None
        yield Criterion(
            "resolution", ctf.resolution, None, limits.worst_resolution, " Å", 1, too_high="is worse than"
        )
        yield Criterion("confidence of the CTF", ctf.confidence, limits.min_confidence, None, digits=2)
        yield Criterion("defocus", ctf.defocus, limits.min_defocus, limits.max_defocus, " Å")
        yield Criterion("distance from the intended defocus", error, None, limits.max_defocus_error, " Å")
        yield Criterion("astigmatism", ctf.astigmatism, None, limits.max_astigmatism, " Å")
        yield Criterion("ice ring", ctf.ice_ring, None, limits.max_ice_ring, digits=2)

    def _of_micrograph(self, micrograph: Micrograph) -> Iterator[Criterion]:
        limits = self.params
        counts, expected = micrograph.mean_counts, micrograph.expected_counts
        ratio = counts / expected if counts is not None and expected is not None else None
        residual = abs(micrograph.gain_residual) if micrograph.gain_residual is not None else None
        yield Criterion("motion", micrograph.motion_total, None, limits.max_motion_total, " Å")
        yield Criterion("early motion", micrograph.motion_early, None, limits.max_motion_early, " Å", 1)
        yield Criterion("late motion", micrograph.motion_late, None, limits.max_motion_late, " Å", 1)
        yield Criterion("local motion", micrograph.motion_local, None, limits.max_motion_local, " Å", 1)
        yield Criterion("mean counts", counts, limits.min_counts, None, digits=3)
        yield Criterion(
            "counts over those of the stated dose",
            ratio,
            limits.min_counts_ratio,
            limits.max_counts_ratio,
            digits=2,
        )
        yield Criterion(
            "correlation with the gain reference", residual, None, limits.max_gain_residual, digits=3
        )
