"""Protocols that leave several files for each exposure, to be put into a site's `protocols/` folder."""

from eucentric.engine.protocol import Protocol, ProtocolParams, Rejected, Task
from eucentric.metadata import Item, Micrograph


class SumUp(Protocol):
    """Make the sums of an exposure."""

    name = "sum-up"
    version = "1"

    class Params(ProtocolParams):
        size: int = 100

    def process(self, number: Item, task: Task) -> Micrograph:
        for name in ("weighted.mrc", "sum.mrc", "spectrum.mrc", "even.mrc", "odd.mrc", "small.png"):
            (task.folder / name).write_bytes(task.rng.bytes(self.params.size))
        return Micrograph(
            path=task.keep("weighted.mrc"),
            unweighted_path=task.keep("sum.mrc"),
            spectrum_path=task.keep("spectrum.mrc"),
            halves_paths=(task.keep("even.mrc"), task.keep("odd.mrc")),
            thumbnail_path=task.keep("small.png"),
            movie_path="data/raw/movie.mrc",
            height=1,
            width=1,
            pixel_size=1,
            voltage=300,
            spherical_aberration=2.7,
            amplitude_contrast=0.1,
        )


class Choose(Protocol):
    """Reject exposures by name."""

    name = "choose"
    version = "1"

    class Params(ProtocolParams):
        bad: str = ""

    def process(self, micrograph: Micrograph, task: Task) -> Micrograph:
        if task.key[-1] in self.params.bad.split():
            raise Rejected("its name says so")
        return micrograph


class Use(Protocol):
    """Read the sum of an exposure."""

    name = "use"
    version = "1"

    class Params(ProtocolParams):
        again: int = 0

    def process(self, micrograph: Micrograph, task: Task) -> Micrograph:
        assert micrograph.unweighted_path
        task.locate(micrograph.unweighted_path).read_bytes()
        return micrograph
