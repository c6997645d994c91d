"""What several estimates of a micrograph's contrast transfer function agree on."""

from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Resources, Task
from eucentric.imaging import CTFOptics
from eucentric.imaging.consensus_ctf import (
    CTFEstimate,
    agreement_resolution,
    largest_agreement,
    mean_estimate,
)
from eucentric.metadata import CTF, Angstrom
from eucentric.techniques.single_particle.consensus import Agree, how_many


class CTFConsensus(Protocol):
    """Pass the mean of the estimates that agree on a micrograph, and reject it where too few do.

    Estimates agree to the resolution at which their phases differ by π/2 in the direction where they differ
    most. Defocus, astigmatism and phase shift of the result are the means of those that agree; all else, the
    pictures too, is that of the estimate with the best score among them.
    """

    name = "ctf-consensus"
    version = "1"
    resources = Resources(memory=ByteSize(300 * 10**6))

    class Params(ProtocolParams):
        """What agreeing means."""

        worst_resolution: Angstrom = Field(
            default=8, gt=0, description="Resolution up to which estimates must agree."
        )
        agree: Agree = Field(
            default="majority",
            description="How many estimates must agree: a number, the majority or all of those that gave a"
            " result.",
        )

    def process(self, ctf: list[CTF], task: Task) -> CTF:
        """Compare the estimates of one micrograph."""
        first = ctf[0]
        for other in ctf[1:]:
            _check_alike(first, other)
        least = how_many(self.params.agree, len(ctf), "estimates")
        if len(ctf) == 1:
            task.log.warning("There is one estimate only (%s); it is passed on as it is.", first.profile_path)
            return first
        estimates = [_estimate(each) for each in ctf]
        group, agreement = largest_agreement(estimates, self.params.worst_resolution)
        if len(group) < least:
            raise Rejected(self._reason(estimates, least))
        best = max((ctf[number] for number in group), key=lambda each: each.score)
        mean = mean_estimate([estimates[number] for number in group])
        task.log.info("%d of %d estimates agree to %.2f Å", len(group), len(ctf), agreement)
        return best.model_copy(
            update={
                "defocus_u": mean.defocus_u,
                "defocus_v": mean.defocus_v,
                "defocus_angle": mean.defocus_angle,
                "phase_shift": mean.optics.phase_shift,
                "agreement": agreement,
            }
        )

    def _reason(self, estimates: list[CTFEstimate], least: int) -> str:
        defoci = ", ".join(f"{(each.defocus_u + each.defocus_v) / 2:,.0f}" for each in estimates)
        reason = (
            f"fewer than {least} of {len(estimates)} estimates (mean defocus {defoci} Å) agree to"
            f" {self.params.worst_resolution:g} Å"
        )
        if len(estimates) == 2:
            reason += f"; they do to {agreement_resolution(*estimates):.1f} Å"
        return reason


def _estimate(ctf: CTF) -> CTFEstimate:
    optics = CTFOptics(ctf.voltage, ctf.spherical_aberration, ctf.amplitude_contrast, ctf.phase_shift)
    return CTFEstimate(ctf.defocus_u, ctf.defocus_v, ctf.defocus_angle, optics)


def _check_alike(one: CTF, other: CTF) -> None:
    if one.micrograph_path != other.micrograph_path:
        raise ValueError(
            f"The estimates are of {one.micrograph_path} and of {other.micrograph_path}; wire"
            " ctf-consensus to estimates of the same micrographs."
        )
