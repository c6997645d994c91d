"""The file of a picking network: its weights and the diameter that it was trained for, as plain arrays."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from eucentric.formats import FormatError
from eucentric.imaging.picking_network import PickingNetwork

_DIAMETER = "diameter"


def write_network(path: Path, network: PickingNetwork, diameter: float) -> None:
    """Write a network as an npz file, with the same bytes for the same numbers; `diameter` in Å."""
    arrays = {name: values.cpu().numpy() for name, values in network.state_dict().items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in {**arrays, _DIAMETER: np.float64(diameter)}.items():
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())


def read_network(path: Path, device: str) -> tuple[PickingNetwork, float]:
    """Read what `write_network` has written: the network and its diameter in Å.

    Raises:
        FormatError: It is not such a file.
        OSError: The file cannot be opened.
    """
    network = PickingNetwork()
    try:
        # Opened here, since numpy leaves open what it does not understand.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            diameter = float(arrays[_DIAMETER])
            state = {name: torch.from_numpy(arrays[name]) for name in network.state_dict()}
        network.load_state_dict(state)
    except (EOFError, ValueError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile) as error:
        what = "it does not hold the weights of a picking network"
        raise FormatError(path, what, "give the file that train-picker wrote") from error
    if not 0 < diameter < np.inf:
        raise FormatError(path, f"its diameter is {diameter}", "give the file that train-picker wrote")
    return network.to(device).eval(), diameter
