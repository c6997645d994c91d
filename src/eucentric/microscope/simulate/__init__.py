"""A simulated microscope: sessions of movies of a real structure, of which everything is known."""

from eucentric.microscope.simulate.camera import Camera, make_camera
from eucentric.microscope.simulate.exposure import (
    CleanMicrograph,
    Exposure,
    clean_micrograph,
    draw_exposure,
    record_movie,
)
from eucentric.microscope.simulate.session import simulate_session
from eucentric.microscope.simulate.settings import (
    Fault,
    LayoutName,
    MovieFormat,
    SimulatedGrid,
    SimulationSettings,
)
from eucentric.microscope.simulate.structure import groel
from eucentric.microscope.simulate.truth import ExposureTruth, LocalMotion, SessionTruth, read_truth

__all__ = [
    "Camera",
    "CleanMicrograph",
    "Exposure",
    "ExposureTruth",
    "Fault",
    "LayoutName",
    "LocalMotion",
    "MovieFormat",
    "SessionTruth",
    "SimulatedGrid",
    "SimulationSettings",
    "clean_micrograph",
    "draw_exposure",
    "groel",
    "make_camera",
    "read_truth",
    "record_movie",
    "simulate_session",
]
