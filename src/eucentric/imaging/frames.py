"""The frames of a movie as they come from a reader, in blocks on the device."""

from collections.abc import Callable, Iterable, Iterator, Sized

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frame = Tensor | NDArray[np.generic]
Frames = Iterable[Frame] | Callable[[], Iterable[Frame]]
"""Frames [y, x]: something that can be iterated more than once, or a function that starts anew."""

_BLOCK_BYTES = 300_000_000
_BLOCK_FRAMES = 16  # what the CPU needs of so many frames at a time fits into its cache


def raw_blocks(
    frames: Frames,
    shape: tuple[int, ...] | None,
    device: torch.device | str,
    dark: Tensor | None = None,
    *,
    kept_bytes: int = 0,
) -> Iterator[Tensor]:
    """Yield the frames in blocks [frame, y, x] on the device, unsigned bytes or else float32.

    What comes as a block [frame, y, x] already is passed on as it is.

    Args:
        frames: See `Frames`.
        shape: What a frame's shape must be; None takes that of the first.
        device: Where the blocks shall be.
        dark: Subtracted from every frame, [y, x], or None.
        kept_bytes: Blocks stay as they are where all frames, as many as `frames` says, take no more than
            this; else each takes the place of the one before.

    Raises:
        ValueError: a frame has not the `shape`, or not that of the first frame.
    """
    block: Tensor | None = None
    filled = 0
    for frame in frames() if callable(frames) else frames:
        if frame.ndim == 3:
            yield torch.as_tensor(frame)
            continue
        if frame.ndim != 2 or (shape is not None and tuple(frame.shape) != shape):
            raise ValueError(
                f"A frame has the shape {tuple(frame.shape)}, the gain reference or the first frame {shape};"
                " give frames [y, x] of one shape and their own gain reference."
            )
        shape = tuple(frame.shape)
        image = _on(device, frame) if dark is None else _on(device, frame) - dark
        if block is None:
            size = min(_BLOCK_FRAMES, max(1, _BLOCK_BYTES // image.nbytes))
            block = torch.empty((size, *shape), dtype=image.dtype, device=image.device)
            keep = isinstance(frames, Sized) and image.nbytes * len(frames) <= kept_bytes
        block[filled] = image
        filled += 1
        if filled == len(block):
            yield block
            block, filled = None if keep else block, 0
    if block is not None and filled:
        yield block[:filled]


def _on(device: torch.device | str, frame: Frame) -> Tensor:
    if not isinstance(frame, Tensor):
        frame = torch.from_numpy(np.require(frame, "u1" if frame.dtype == np.uint8 else "f4", "W"))
    return frame.to(device, torch.uint8 if frame.dtype == torch.uint8 else torch.float32)
