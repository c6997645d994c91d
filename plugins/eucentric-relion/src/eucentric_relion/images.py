"""Images on their way to RELION and back."""

import numpy as np

from eucentric.engine.programs import Workplace
from eucentric.engine.protocol import Task
from eucentric.formats import open_frames, read_info, write_mrc

_LABELS = slice(220, 1024)  # bytes of an MRC header: the number of labels, and the labels


def link_image(place: Workplace, name: str, path: str, task: Task) -> None:
    """Let RELION read an image or a stack as `name`; half precision, which it does not know, is converted."""
    if read_info(task.locate(path)).dtype != np.float16:
        place.link(name, path)
        return
    file = place.path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with open_frames(task.locate(path)) as frames:
        write_mrc(file, (frame.astype(np.float32) for frame in frames), frames.info.pixel_size)


def keep_image(place: Workplace, name: str, kept_as: str) -> str:
    """Keep an image that RELION wrote, without the time of the day in its header; see `Workplace.keep`."""
    with place.path(name).open("r+b") as file:
        file.seek(_LABELS.start)
        file.write(bytes(_LABELS.stop - _LABELS.start))
    return place.keep(name, kept_as)
