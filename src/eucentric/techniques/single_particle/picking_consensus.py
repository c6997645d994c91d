"""What several pickers agree on, on every micrograph."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ByteSize, Field

from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.formats import read_coordinates_star, write_coordinates_star
from eucentric.imaging.consensus_picks import PickerStatistics, match_picks, picker_statistics
from eucentric.metadata import Angstrom, Coordinates
from eucentric.techniques.single_particle.consensus import Agree, how_many


class PickingConsensus(Protocol):
    """Keep the particles that several pickers agree on, at the mean of their positions.

    Any number of pickers may be wired to `coordinates`. One that failed on a micrograph does not count there.
    Beside the coordinates lies `consensus.json`: for every picker how much of it the others confirm.
    """

    name = "picking-consensus"
    version = "1"
    resources = Resources(memory=ByteSize(300 * 10**6))

    class Params(ProtocolParams):
        """What agreeing means."""

        agree: Agree = Field(
            default="majority",
            description="How many pickers must have a particle: a number, the majority or all of those that"
            " gave a result.",
        )
        radius: Angstrom | None = Field(
            default=None,
            gt=0,
            description="Largest distance between picks of the same particle; by default half its diameter.",
        )

    def process(self, coordinates: list[Coordinates], task: Task) -> Coordinates:
        """Match the picks of one micrograph."""
        # A picker that passes on what another has found has no vote of its own.
        coordinates = list({each.path: each for each in coordinates}.values())
        first = coordinates[0]
        for other in coordinates[1:]:
            _check_alike(first, other)
        least = how_many(self.params.agree, len(coordinates), "pickers")
        if len(coordinates) == 1:
            task.log.warning("Only %s gave a result; its picks are passed on as they are.", first.path)
        tables = [read_coordinates_star(task.locate(each.path)) for each in coordinates]
        picks = [table[["x", "y"]].to_numpy(np.float64) for table in tables]
        scores = [table["score"].to_numpy(np.float64) if "score" in table else None for table in tables]
        # Of different diameters the smallest: a radius must not reach to the next particle.
        radius = self.params.radius or min(each.diameter for each in coordinates) / 2
        found = match_picks(picks, radius / first.pixel_size, scores)
        agreed = found.agreed(least)
        # Whole pixels, which every program's extraction takes for the same.
        table = pd.DataFrame(np.floor(agreed.positions + 0.5), columns=["x", "y"])
        write_coordinates_star(task.folder / "coordinates.star", table.assign(score=agreed.scores))
        statistics, shared = picker_statistics(found, least, picks)
        _write_statistics(task.folder / "consensus.json", coordinates, least, radius, statistics, shared)
        task.log.info(
            "%d particles that %d of %d pickers have; of the picks of each %s are among them",
            len(table),
            least,
            len(coordinates),
            ", ".join(f"{each.precision:.0%}" for each in statistics),
        )
        return Coordinates(
            path=task.keep("coordinates.star"),
            micrograph_path=first.micrograph_path,
            count=len(table),
            diameter=max(each.diameter for each in coordinates),
            height=first.height,
            width=first.width,
            pixel_size=first.pixel_size,
        )


def _check_alike(one: Coordinates, other: Coordinates) -> None:
    place, there = ((each.micrograph_path, each.height, each.width) for each in (one, other))
    if place != there:
        raise ValueError(
            f"{one.path} was picked on {place[0]} ({place[2]} × {place[1]} px) and {other.path} on {there[0]}"
            f" ({there[2]} × {there[1]} px); wire picking-consensus to pickers of the same micrographs."
        )


def _write_statistics(
    path: Path,
    coordinates: list[Coordinates],
    least: int,
    radius: float,
    statistics: list[PickerStatistics],
    shared: NDArray[np.int64],
) -> None:
    """Write what is known of each picker, in the order of the pickers."""
    pickers = [
        {
            "coordinates": item.path,
            "picks": each.picks,
            "agreed": each.agreed,
            "precision": round(float(each.precision), 4),
            "recall": round(each.recall, 4),
            "distance": round(each.distance * item.pixel_size, 2),  # Å
            "shared": row.tolist(),
        }
        for item, each, row in zip(coordinates, statistics, shared, strict=True)
    ]
    document = {"agree": least, "radius": radius, "pickers": pickers}
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
