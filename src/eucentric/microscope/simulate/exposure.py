"""One simulated exposure: what is drawn for it, its clean image, and its frames."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from eucentric.imaging.dose import critical_dose
from eucentric.imaging.image_formation import (
    ImagingConditions,
    Spectrum,
    contrast_spectrum,
    frequency_magnitude,
    resample,
    shift_spectrum,
)
from eucentric.imaging.specimen import ice_potential, project_molecules, random_orientations
from eucentric.imaging.specimen_films import transmission
from eucentric.microscope.simulate.camera import Camera, record_frame
from eucentric.microscope.simulate.flaws import Flaws, draw_flaws, film
from eucentric.microscope.simulate.motion import Motion, draw_motion, local_field
from eucentric.microscope.simulate.settings import Fault, SimulationSettings
from eucentric.microscope.simulate.structure import groel

FloatArray = NDArray[np.float32]

_MARGIN = 32  # px around the frame beyond the reach of motion; images wrap around at the outer edge
_STAGE_RANGE = 400.0  # µm from the middle of the grid
_LAYER = 600.0  # Å; thicker ice is imaged in several layers, each with its own defocus


class Exposure(NamedTuple):
    """All that is drawn for an exposure before it is imaged.

    Attributes:
        number: Counted from 1.
        fault: What is wrong with it on purpose, or None.
        target_defocus: Intended underfocus, Å.
        optics: How it is imaged.
        stage: Stage position (x, y) in µm.
        motion: How the specimen moves.
        centres: (x, y) in px of the frame of all particles, also of those that reach into it, [particle, 2].
        orientations: Rotation matrices of the particles, [particle, 3, 3].
        flaws: What else is wrong with it.
    """

    number: int
    fault: Fault | None
    target_defocus: float
    optics: ImagingConditions
    stage: tuple[float, float]
    motion: Motion
    centres: FloatArray
    orientations: FloatArray
    flaws: Flaws

    @property
    def recorded_frames(self) -> list[int]:
        """Frames, counted from 0, that the movie has: all but those that were lost."""
        return [frame for frame in range(len(self.motion.shifts)) if frame not in self.flaws.dropped]


class CleanMicrograph(NamedTuple):
    """An exposure without noise, damage and motion.

    Attributes:
        image: Contrast (I − I₀) / I₀ of all that there is in the first frame, [y, x].
        particles: The same of the particles alone.
        local_motion: Motion (x, y) in px within the field at the end of the movie, [y, x, 2].
    """

    image: FloatArray
    particles: FloatArray
    local_motion: FloatArray


def draw_exposure(settings: SimulationSettings, number: int) -> Exposure:
    """Draw what exposure `number`, counted from 1, of a session is like."""
    settings = settings.of(number)
    rng = np.random.default_rng([settings.seed, number, 0])
    fault = settings.faults.get(number)
    target = rng.uniform(settings.min_defocus, settings.max_defocus)
    defocus = max(target + rng.normal(0, settings.defocus_error), 0.0)
    half = rng.uniform(0, settings.astigmatism) / 2
    optics = ImagingConditions(
        pixel_size=settings.pixel_size,
        voltage=settings.voltage,
        spherical_aberration=settings.spherical_aberration,
        amplitude_contrast=settings.amplitude_contrast,
        defocus_u=defocus + half,
        defocus_v=defocus - half,
        defocus_angle=rng.uniform(0, 180),
        b_factor=settings.b_factor,
    )
    stage_x, stage_y = rng.uniform(-_STAGE_RANGE, _STAGE_RANGE, 2).tolist()
    motion = draw_motion(settings, fault == "drifting", rng)
    centres = _scatter(settings, 0 if fault == "empty" else settings.particles, rng)
    orientations = random_orientations(len(centres), rng)
    optics = _misalign(optics, fault, np.random.default_rng([settings.seed, number, 5]))
    flaws = draw_flaws(settings, number)
    return Exposure(number, fault, target, optics, (stage_x, stage_y), motion, centres, orientations, flaws)


def clean_micrograph(settings: SimulationSettings, number: int) -> CleanMicrograph:
    """Return the noise-free image of exposure `number`, counted from 1, for comparison with results."""
    settings = settings.of(number)
    exposure = draw_exposure(settings, number)
    margin, shape = _padding(settings, exposure)
    particles, rest = _spectra(settings, exposure)
    inner = (slice(margin, margin + settings.height), slice(margin, margin + settings.width))
    particle_image = _image(particles, shape)[inner]
    field = local_field(exposure.motion, (settings.height, settings.width), settings.pixel_size)
    return CleanMicrograph(particle_image + _image(rest, shape)[inner], particle_image, field)


def record_movie(
    settings: SimulationSettings, exposure: Exposure, camera: Camera
) -> Iterator[NDArray[np.uint8]]:
    """Record an exposure, frame by frame, as raw counts [y, x]; frames that are lost are left out.

    The particles fade with the dose they have received (Grant & Grigorieff (2015), eLife 4:e06980): in a
    frame at dose N their amplitude at frequency k is exp(−N / (2 Nₑ(k))).
    """
    settings = settings.of(exposure.number)
    margin, shape = _padding(settings, exposure)
    particles, rest = _spectra(settings, exposure)
    frequency = torch.from_numpy(frequency_magnitude(shape, settings.pixel_size))
    decay = (-0.5 / critical_dose(frequency, settings.voltage)).numpy()
    field = local_field(exposure.motion, (settings.height, settings.width), settings.pixel_size)
    electrons = np.float32(settings.dose_per_frame * settings.pixel_size**2 * _brightness(settings, exposure))
    rng = np.random.default_rng([settings.seed, exposure.number, 2])
    shifts = exposure.motion.shifts / settings.pixel_size
    for frame in exposure.recorded_frames:
        dose = np.float32((frame + 0.5) * settings.dose_per_frame * exposure.flaws.beam)
        moved = shift_spectrum(particles * np.exp(decay * dose) + rest, shape, tuple(shifts[frame]))
        course = np.float32(exposure.motion.course[frame])
        contrast = resample(_image(moved, shape), field * course, margin)
        yield record_frame(camera, electrons * (1 + contrast), rng)


def particles_in_frame(
    settings: SimulationSettings, exposure: Exposure, *, hidden: bool = False
) -> FloatArray:
    """Return the centres (x, y) in px of the particles whose centre lies in the frame, [particle, 2].

    Args:
        settings: The session.
        exposure: The exposure.
        hidden: Those that carbon or lumps of ice hide, instead of those that can be seen.
    """
    last = np.array([settings.width - 1, settings.height - 1], np.float32)
    inside = ((exposure.centres >= 0) & (exposure.centres <= last)).all(axis=1)
    wanted = exposure.flaws.hidden(exposure.centres) if hidden else ~exposure.flaws.hidden(exposure.centres)
    return exposure.centres[inside & wanted]


def _misalign(optics: ImagingConditions, fault: Fault | None, rng: np.random.Generator) -> ImagingConditions:
    """Return the optics as a fault leaves them."""
    u, v = optics.defocus_u, optics.defocus_v
    if fault == "astigmatic":
        half = rng.uniform(1050, 1800)
        u, v = (u + v) / 2 + half, max((u + v) / 2 - half, 0.0)
    if fault == "off-target":
        away = rng.uniform(6_000, 12_000)
        away = -away if rng.random() < 0.5 and v - away > 2_000 else away
        u, v = u + away, v + away
    return optics._replace(defocus_u=u, defocus_v=v)


def _brightness(settings: SimulationSettings, exposure: Exposure) -> float:
    """Return the electrons that reach the camera, relative to what the dose is stated from.

    The dose is stated for ice of the usual thickness; what ice beyond that scatters away is missing.
    """
    beyond = max(exposure.flaws.ice_thickness - settings.ice_thickness, 0.0)
    return exposure.flaws.beam * float(transmission(beyond, "ice"))


def _scatter(settings: SimulationSettings, count: int, rng: np.random.Generator) -> FloatArray:
    """Throw particles on the frame and its surroundings, none over another, at `count` per frame."""
    reach = groel().radius / settings.pixel_size
    size = np.array([settings.width, settings.height])
    wanted = round(count * float(np.prod(size + 2 * reach)) / float(np.prod(size)))
    centres = np.empty((wanted, 2), np.float32)
    placed = 0
    for candidate in rng.uniform(-reach, size + reach, (wanted * 50, 2)).astype(np.float32):
        if placed == wanted:
            break
        if not placed or ((centres[:placed] - candidate) ** 2).sum(axis=1).min() > (2 * reach) ** 2:
            centres[placed] = candidate
            placed += 1
    return centres[:placed]


def _padding(settings: SimulationSettings, exposure: Exposure) -> tuple[int, tuple[int, int]]:
    """Return the margin in px and the shape of the image from which frames are cut."""
    margin = _MARGIN + int(np.ceil(exposure.motion.largest() / settings.pixel_size))
    height, width = (
        scipy.fft.next_fast_len(length + 2 * margin, real=True)
        for length in (settings.height, settings.width)
    )
    return margin, (height, width)


def _spectra(settings: SimulationSettings, exposure: Exposure) -> tuple[Spectrum, Spectrum]:
    """Return the contrast of the particles and of all the rest as half spectra of the padded image.

    Thick ice is imaged in layers, the particles among them: each layer has a defocus of its own.
    """
    margin, shape = _padding(settings, exposure)
    thickness = exposure.flaws.ice_thickness
    layers = max(1, math.ceil(thickness / _LAYER))
    rng = np.random.default_rng([settings.seed, exposure.number, 1])
    both = np.zeros((2, shape[0], shape[1] // 2 + 1), np.complex64)
    for layer in range(layers):
        height = thickness * ((layer + 0.5) / layers - 0.5)
        optics = exposure.optics._replace(
            defocus_u=exposure.optics.defocus_u + height, defocus_v=exposure.optics.defocus_v + height
        )
        centres, turns = exposure.centres[layer::layers] + margin, exposure.orientations[layer::layers]
        molecules = project_molecules(groel(), turns, centres, shape, settings.pixel_size)
        ice = np.zeros_like(molecules)
        if thickness:
            ice = ice_potential(shape, settings.pixel_size, thickness / layers, settings.dose, rng)
        both += contrast_spectrum(np.stack((molecules, ice)), optics)
    if (drawn := film(settings, exposure.flaws, exposure.number, margin, shape)) is not None:
        potential, passed = drawn
        both[1] += contrast_spectrum(potential, exposure.optics)
        both[1] += scipy.fft.rfft2(passed - 1, workers=torch.get_num_threads())
    return both[0], both[1]


def _image(spectrum: Spectrum, shape: tuple[int, int]) -> FloatArray:
    image: FloatArray = scipy.fft.irfft2(spectrum, s=shape, workers=torch.get_num_threads())
    return image
