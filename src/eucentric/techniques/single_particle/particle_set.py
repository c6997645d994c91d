"""What all particles that an accumulator puts together have in common."""

from typing import Any, Self

from eucentric.metadata import Angstrom, ClassAverages, Item, Particles


class ParticleSet(Item):
    """Particles of one size: the state of an accumulator of particles begins with it."""

    box: int
    pixel_size: float
    diameter: Angstrom
    phase_flipped: bool

    @classmethod
    def beginning(cls, particles: Particles, **state: Any) -> Self:
        """Return the set that begins with these particles, with the other fields of its state."""
        return cls(
            box=particles.box,
            pixel_size=particles.pixel_size,
            diameter=particles.diameter,
            phase_flipped=particles.phase_flipped,
            **state,
        )

    def require_alike(self, particles: Particles) -> None:
        """Raise a `ValueError` if particles differ from the others in size, pixel or phases."""
        same = (
            particles.box == self.box
            and abs(particles.pixel_size / self.pixel_size - 1) < 1e-3
            and particles.phase_flipped == self.phase_flipped
        )
        if not same:
            raise ValueError(
                f"The particles of {particles.micrograph_path} have {particles.box} px of"
                f" {particles.pixel_size:.4g} Å, those before {self.box} px of {self.pixel_size:.4g} Å, or"
                " the phases of only some are flipped; extract all particles with the same settings."
            )

    def without_classes(self) -> ClassAverages:
        """Return the output where no particle has a class."""
        return ClassAverages(
            path=None,
            table_path=None,
            particles_path=None,
            classes=0,
            selected_classes=0,
            particles=0,
            selected_particles=0,
            box=self.box,
            pixel_size=self.pixel_size,
            diameter=self.diameter,
        )
