"""Packing micrographs with gzip."""

from pydantic import Field

from eucentric.engine.programs import Program, ProgramFailed, Workplace
from eucentric.engine.protocol import Protocol, ProtocolParams, Resources, Task
from eucentric.metadata import Item, Micrograph

GZIP = Program(
    name="gzip",
    command="gzip",
    versions=">=1.3",
    install="Every Linux has it as the package gzip.",
)


class PackedImage(Item):
    """A packed image."""

    path: str = Field(description="The packed file.")
    saved: float = Field(description="Per cent of the file's size that packing saves.")


class PackMicrograph(Protocol):
    """Pack micrographs with gzip."""

    name = "pack-micrograph"
    version = "1"
    resources = Resources(cpus=1)

    class Params(ProtocolParams):
        """How hard to try."""

        level: int = Field(default=6, ge=1, le=9, description="1 is fast, 9 is small.")

    def process(self, micrograph: Micrograph, task: Task) -> PackedImage:
        """Pack one micrograph."""
        with Workplace.of(task) as place:
            image = place.link("image.mrc", micrograph.path)
            # -f: of links, too; -n: without the time, so that the same image gives the same file.
            packing = ["-k", "-f", "-n", f"-{self.params.level}", image]
            GZIP.run(packing, task, folder=place.folder, expects=["image.mrc.gz"])
            listed = GZIP.run(["-l", "image.mrc.gz"], task, folder=place.folder)
            return PackedImage(path=place.keep("image.mrc.gz", "packed.mrc.gz"), saved=saved(listed.lines))


def saved(lines: tuple[str, ...]) -> float:
    """Return the per cent that `gzip -l` tells: after a line of titles, two sizes, `12.3%` and the name."""
    try:
        return float(lines[-1].split()[2].removesuffix("%"))
    except (IndexError, ValueError) as error:
        raise ProgramFailed(f"gzip -l printed what cannot be understood: {' / '.join(lines)}") from error
