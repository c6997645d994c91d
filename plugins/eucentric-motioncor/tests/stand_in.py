"""Stands in for MotionCor3 in tests: takes its documented options, writes its documented files.

Motion is not measured but told by STAND_IN_MOVED (JSON): by how many pixels each frame is moved.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import tifffile

VERSION = "{version}"
ONE = ["-InMrc", "-InTiff", "-InEer", "-OutMrc", "-LogDir", "-Gain", "-Dark", "-DefectMap", "-FmIntFile"]
ONE += [
    "-EerSampling",
    "-PixSize",
    "-kV",
    "-FmDose",
    "-InitDose",
    "-Iter",
    "-Tol",
    "-FtBin",
    "-Cs",
    "-SplitSum",
]
TWO = ["-Patch", "-Bft", "-SumRange"]


def read_mrc(file: str) -> np.ndarray:
    data = Path(file).read_bytes()
    x, y, z, mode = np.frombuffer(data[:16], np.int32)
    kind = {0: np.int8, 1: np.int16, 2: np.float32, 6: np.uint16}[int(mode)]
    return np.frombuffer(data, kind, offset=1024 + np.frombuffer(data[92:96], np.int32)[0]).reshape(z, y, x)


def write_mrc(file: str, image: np.ndarray) -> None:
    header = np.zeros(256, np.int32)
    header[:4], header[7:10] = (*image.shape[::-1], 1, 2), (*image.shape[::-1], 1)
    header[10:13] = np.array([*image.shape[::-1], 1], np.float32).view(np.int32)
    header[16:19], header[52], header[53] = (1, 2, 3), int.from_bytes(b"MAP ", "little"), 0x4144
    Path(file).write_bytes(header.tobytes() + image.astype(np.float32).tobytes())


if sys.argv[1:] == ["--version"]:
    sys.stdout.write(f"MotionCor3 version {VERSION}\nBuilt on May 14 2025\n")
    sys.exit()
words, options = sys.argv[1:], {}
while words:
    tag = words.pop(0)
    count = 1 if tag in ONE or tag == "-Gpu" else 2 if tag in TWO else sys.exit(f"unknown {tag}")
    options[tag], words = words[:count], words[count:]
Path(os.environ["STAND_IN_LOG"]).write_text(json.dumps(options))
if "-InTiff" in options:
    # The rows of a TIFF file begin at the top.
    frames = tifffile.imread(options["-InTiff"][0])[:, ::-1].astype(np.float64)
else:
    frames = read_mrc(options["-InMrc"][0]).astype(np.float64)
if "-Gain" in options:
    gain = read_mrc(options["-Gain"][0])[0]
    if gain.shape != frames.shape[1:]:
        sys.exit("Error: Gain and frame dimensions mismatch!")
    dark = read_mrc(options["-Dark"][0])[0] if "-Dark" in options else 0
    frames = (frames - dark) * gain
moved = json.loads(os.environ["STAND_IN_MOVED"])
aligned = np.array(
    [np.roll(f, (round(y), round(x)), (0, 1)) for f, (x, y) in zip(frames, moved, strict=True)]
)
name = options["-OutMrc"][0].removesuffix(".mrc")
binning = int(float(options["-FtBin"][0]))
sums = {"": aligned.sum(0)}
if "-FmDose" in options:
    sums["_DW"] = aligned.sum(0) + 1
if options.get("-SplitSum") == ["1"]:
    sums |= {"_ODD": aligned[::2].sum(0), "_EVN": aligned[1::2].sum(0)}
for ending, image in sums.items():
    height, width = (length // binning for length in image.shape)
    binned = image[: height * binning, : width * binning].reshape(height, binning, width, binning)
    write_mrc(f"{name}{ending}.mrc", binned.mean((1, 3)))
stem = "movie"
full = "".join(f"{n:4d}  {x:8.2f}  {y:8.2f}\n" for n, (x, y) in enumerate(moved, 1))
logs = Path(options["-LogDir"][0])
if "-Patch" not in options:
    (logs / f"{stem}-Full.log").write_text("# full frame alignment\n" + full)
    sys.exit()
(logs / f"{stem}-Patch-Full.log").write_text(
    "# Patch based alignment\n# Initial alignment based upon full frames\n\n" + full
)
text = "# Patch based alignment\n# Number of patches: 3\n# Shifts are listed per patch.\n# Movie size: 5\n\n"
for patch in range(3):
    text += f"#Patch {patch + 1:03d} raw and fit shifts\n"
    for frame in range(len(moved)):
        bad = int((patch, frame) in ((1, 2), (2, 0)))
        text += f"{frame + 1:4d} {10 * patch + 5:8.2f} {7:8.2f} "
        text += f"{0.5 * frame * patch:8.2f} {-0.25:8.2f} {bad:4d}\n"
    text += "\n"
(logs / f"{stem}-Patch-Patch.log").write_text(text)
