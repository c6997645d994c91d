"""A session whose engine, workers and cluster are killed over and over, at random instants.

Run as `python benchmarks/soak.py [--kills N] [--seed S] [--postgresql] [--real]`. It exits with 1 when
anything was lost or done twice, or differs from what a session left in peace has made.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.progress import Progress

from eucentric.engine.workflow import RunSpec, Workflow
from eucentric.microscope.simulate import SimulationSettings, simulate_session
from eucentric.store import Database, Site
from eucentric.techniques.workflows import find_workflow

sys.path[0] = str(Path(__file__).parents[1] / "tests")  # in place of this folder, which has an engine.py too
from engine.conftest import end_cluster  # noqa: E402
from engine.stage import PATIENCE, Stage, chain  # noqa: E402
from engine.tormentor import Tormentor  # noqa: E402
from postgres_server import PostgresServer, find_programs  # noqa: E402

WORKERS = "[workers]\ncpus = 2\ngpus = 0\n"
MOVIES = SimulationSettings(
    exposures=4, width=256, height=256, frames=6, pixel_size=2.5, dose=24, hot_pixels=5, particles=8
)


class RealTormentor(Tormentor):
    """Torments a session that works on simulated movies with the real protocols.

    There are but a few different movies; what comes are copies of them.
    """

    runs = ("align", "ctf", "statistics")

    def __init__(self, site: Site, database: Database, seed: int, pool: Path) -> None:
        """Simulate the movies in `pool`, from which they come to the session's folder."""
        simulate_session(pool, MOVIES)
        self.pool = pool
        self.movies = pool / "arriving"
        self.movies.mkdir()
        runs = dict(find_workflow("motion-and-ctf").runs)
        params = {"folders": [str(self.movies)], "gain": str(pool / "gain.mrc"), "dose_per_frame": 4.0}
        runs["movies"] = RunSpec(protocol="import-movies", params=params)
        self.workflow = Workflow(name="real", runs=runs)
        super().__init__(Stage(site, self.workflow, database=database), seed, site)

    def give(self, count: int) -> None:
        """Let movies arrive."""
        originals = sorted((self.pool / "movies").glob("*.tiff"))
        for number in range(self.given, self.given + count):
            hidden = self.movies / f".m{number}"
            hidden.write_bytes(originals[number % len(originals)].read_bytes())
            hidden.rename(self.movies / f"m{number}.tiff")
        self.given += count

    async def judge(self, patience: float = PATIENCE) -> None:
        """Compare with a session left in peace; sums of floats depend on their order, so only counts here."""
        quiet = Stage(self.stage.site, self.workflow, "quiet", self.stage.database)
        await quiet.run(dask=True, patience=patience)
        mine, its = self.stage.result(), quiet.result()
        for result in (mine, its):
            for name in [name for name in result if name.startswith("statistics")]:
                fields = result.pop(name)[2]
                assert (fields["exposures"], fields["fitted"]) == (self.given, self.given), fields
        self.stage.check_nothing_twice()
        assert len(mine) > 5 * self.given
        assert mine == its
        quiet.bell.close()


async def soak(tormentor: Tormentor, kills: int) -> str | None:
    """Torment a session, and return what is wrong with its results."""
    with Progress() as progress:
        bar = progress.add_task("kills", total=kills)
        await tormentor.torment(kills, lambda: progress.advance(bar))
    try:
        patience = 2 * PATIENCE + 5 * tormentor.given
        await tormentor.finish(patience)
        await tormentor.judge(patience)
    except (AssertionError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        done = len(tormentor.stage.rows_of("task", state="done"))
        hit = ", ".join(f"{what} {count}" for what, count in sorted(tormentor.kills.items()))
        tasks = f"{done} tasks done, {tormentor.interruptions} interrupted"
        print(f"{tormentor.kills.total()} kills ({hit}): {tasks}.")
    return None


def main() -> None:
    """Run the test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--postgresql", action="store_true", help="use PostgreSQL")
    parser.add_argument("--real", action="store_true", help="simulated movies through the real protocols")
    chosen = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    print(f"Seed {seed}.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eucentric-soak-")))
        settings = WORKERS
        if chosen.postgresql:
            programs = find_programs()
            assert programs is not None, "no PostgreSQL server is installed"
            server = PostgresServer(programs)
            stack.callback(server.remove)
            settings = f'database = "{stack.enter_context(server.new_database())}"\n{WORKERS}'
        site = Site.create(folder / "site", settings)
        stack.callback(end_cluster, site)
        database = stack.enter_context(Database.open(site))
        if chosen.real:
            tormentor: Tormentor = RealTormentor(site, database, seed, folder / "microscope")
        else:
            tormentor = Tormentor(Stage(site, chain(), database=database), seed, site)
        wrong = asyncio.run(soak(tormentor, chosen.kills))
    print(f"WRONG: {wrong}" if wrong else "Nothing was lost, nothing was done twice, nothing differs.")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
