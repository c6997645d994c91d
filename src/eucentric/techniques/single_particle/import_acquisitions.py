"""Which movies belong together, and what they have in common.

An acquisition is a group of folders (a grid), a size of the frames, and a pixel size. It is called by the
first two, `grid1-5760x4092`; where a second pixel size comes, as with another magnification, its movies get
an acquisition of their own with that in its name, `grid1-5760x4092-1.06A`. Names and keys stay as they are
once given.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from eucentric.engine.protocol import Key
from eucentric.metadata import Gain, Movie
from eucentric.techniques.single_particle.movie_values import Values, is_same, updated

SAME_PIXEL = 0.01
"""Relative difference of pixel sizes up to which movies are of one magnification."""

_MODE = re.compile(r"-?\d+x\d+$")


@dataclass
class Acquisition:
    """One acquisition.

    Attributes:
        name: Its name.
        base: Its name but for the pixel size.
        layout: The layout of its folders.
        stated: The pixel size by which its movies are told from others, Å.
        certain: That is what metadata say, not a header or the command line.
        values: What its movies have in common.
        gain: The gain reference that was yielded last.
        told: What is known of it has been logged.
        instrument: What its metadata call the microscope.
    """

    name: str
    base: str
    layout: str
    stated: float
    certain: bool
    values: Values = field(default_factory=Values)
    gain: Gain | None = None
    told: bool = False
    instrument: str | None = None

    def has(self, pixel_size: float) -> bool:
        """Say whether a movie of this pixel size (Å) belongs to it."""
        return is_same(self.stated, pixel_size, SAME_PIXEL)

    def learn(self, values: Values) -> None:
        """Take in what one more movie is known by."""
        self.values = updated(self.values, values)

    def sentence(self, movie: Movie, source: str) -> str:
        """Return what is understood of it, for the log."""
        dose = f"{movie.dose_per_frame:.3g} e⁻/Å² each" if movie.dose_per_frame else "unknown dose"
        eer = f" out of {movie.raw_frames} of EER" if movie.raw_frames else ""
        gain = self.gain
        turned = f", turned by {gain.rotation}°" if gain and gain.rotation else ""
        flipped = f", flipped {gain.flip}" if gain and gain.flip != "none" else ""
        reference = (
            f"gain {gain.path} ({gain.operation}{turned}{flipped})"
            if gain and gain.path
            else "no gain reference"
        )
        detector = f", {gain.detector}" if gain and gain.detector else ""
        return (
            f"Acquisition {self.name} ({self.layout}{detector}): {movie.width} × {movie.height} pixels of"
            f" {movie.pixel_size:.4g} Å, {movie.voltage:g} kV, {movie.frames} frames{eer} of {dose};"
            f" {reference}; {source}."
        )


class Acquisitions:
    """All acquisitions of a session, and the places of its movies in them."""

    def __init__(self) -> None:
        self._by_base: dict[str, list[Acquisition]] = {}
        self._by_name: dict[str, Acquisition] = {}
        self._groups: dict[Path, str] = {}
        """The group of every folder whose movies have a place."""
        self._gains: dict[str, Gain] = {}
        self._places: dict[str, tuple[str, Key]] = {}
        """Acquisition and key of every movie, by session path."""
        self._taken: dict[tuple[str, Key], str] = {}
        """The session path of the movie that has a place."""

    def base(self, folder: Path, group: str, mode: str) -> str:
        """Return the name of the acquisition of a folder's movies but for the pixel size.

        The group that a folder's first movie was put in stays, though files that come later may tell more.
        """
        group = self._groups.get(folder, fit(group) if group else "")
        return f"{group}-{mode}" if group else mode

    def has_folder(self, folder: Path) -> bool:
        """Say whether there are movies of this folder, by which its group is settled."""
        return folder in self._groups

    def several(self, base: str) -> bool:
        """Say whether there are acquisitions of several pixel sizes with this base."""
        return len(self._by_base.get(base, ())) > 1

    def fitting(self, base: str, path: str, own: float | None, header: float | None) -> Acquisition | None:
        """Return the acquisition that a movie belongs to, None where it needs a new one.

        Args:
            base: As `base` returned it.
            path: How items name the movie.
            own: Pixel size (Å) by its own metadata: that decides.
            header: Pixel size by its header, which decides only among movies without metadata.
        """
        present = self._by_base.get(base, [])
        if own is not None:
            found = next((each for each in present if each.certain and each.has(own)), None)
            found = found or next((each for each in present if not each.certain), None)
            if found and not found.certain:
                found.stated, found.certain = own, True
            return found
        if path in self._places and self._places[path][0] in self._by_name:
            return self._by_name[self._places[path][0]]
        if header is not None and any(not each.certain for each in present):
            return next((each for each in present if not each.certain and each.has(header)), None)
        return present[0] if len(present) == 1 else None

    def new(self, base: str, layout: str, pixel_size: float, *, certain: bool) -> Acquisition:
        """Make an acquisition; see `Acquisition` for its pixel size (Å) and what makes that certain."""
        name = base if not self._by_base.get(base) else f"{base}-{pixel_size:.3g}A"
        while name in self._by_name:  # pixel sizes that differ only behind the digits in the name
            name += "+"
        return self._add(Acquisition(name, base, layout, pixel_size, certain, gain=self._gains.get(name)))

    def _add(self, acquisition: Acquisition) -> Acquisition:
        self._by_base.setdefault(acquisition.base, []).append(acquisition)
        self._by_name[acquisition.name] = acquisition
        return acquisition

    def earlier(self, path: str, acquisition: Acquisition) -> tuple[str, Key] | None:
        """Return the place that a movie had in another acquisition than this."""
        place = self._places.get(path)
        return place if place and place[0] != acquisition.name else None

    def put(self, folder: Path, path: str, acquisition: Acquisition) -> tuple[str, Key]:
        """Give a movie its place in an acquisition, unless it has one there; settle its folder's group."""
        if folder not in self._groups:
            self._groups[folder] = _group_of(acquisition.base)
        if self.earlier(path, acquisition):
            self._taken.pop(self._places.pop(path), None)
        return self.place(acquisition.name, path)

    def place(self, name: str, path: str) -> tuple[str, Key]:
        """Return the place of a movie, which it gets in the acquisition called `name` if it has none."""
        if path not in self._places:
            self._places[path] = (name, self._key(name, path))
            self._taken[self._places[path]] = path
        return self._places[path]

    def place_of(self, path: str) -> tuple[str, Key] | None:
        """Return the place of a movie, None where it has none yet."""
        return self._places.get(path)

    def place_of_broken(self, path: str, folder: Path, group: str) -> tuple[str, Key]:
        """Return the place of a file of which not even the size of its frames is known.

        That is the acquisition of its group, where there is but one.
        """
        if path in self._places:
            return self._places[path]
        group = self._groups.get(folder, fit(group) if group else "")
        others = [each.name for each in self._by_name.values() if _group_of(each.base) == group]
        name = others[0] if len(others) == 1 else group or "unreadable"
        return name, self._key(name, path)

    def _key(self, name: str, path: str) -> Key:
        """Return the movie's file name without ending; with some letters more where another has it."""
        stem = fit(Path(path).stem)
        if self._taken.get((name, (stem,)), path) != path:
            stem = f"{stem}~{hashlib.sha256(path.encode()).hexdigest()[:6]}"
        return (stem,)

    def recall_gain(self, name: str, gain: Gain) -> None:
        """Take over the gain of an acquisition from an earlier life."""
        self._gains[name] = gain

    def recall_instrument(self, name: str, instrument: str | None) -> None:
        """Take over what an acquisition's microscope is called from an earlier life."""
        if instrument is not None and name in self._by_name:
            self._by_name[name].instrument = instrument

    def recall(self, folder: Path, name: str, key: Key, movie: Movie) -> None:
        """Take over a movie from an earlier life."""
        self._places[movie.path] = (name, key)
        self._taken[name, key] = movie.path
        base = name.partition(mode := f"{movie.width}x{movie.height}")[0] + mode
        self._groups.setdefault(folder, _group_of(base))
        if name not in self._by_name:
            values = Values.of_movie(movie)
            assert values.pixel_size is not None
            gain = self._gains.get(name)
            self._add(Acquisition(name, base, "", values.pixel_size, certain=True, gain=gain, told=True))
        self._by_name[name].learn(Values.of_movie(movie))


def _group_of(base: str) -> str:
    return _MODE.sub("", base)


def fit(text: str) -> str:
    """Make a text fit to be part of a key, and so of a folder's name."""
    return re.sub(r"[^\w.+=@-]", "_", text).lstrip(".") or "_"
