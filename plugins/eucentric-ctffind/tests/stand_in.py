"""Stands in for CTFFIND in tests: asks what it is documented to ask, and writes what it is documented to.

The dialogue is that of versions 4.1.14 and 5.0.2; the defocus is not fitted but told by STAND_IN_RESULT.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

VERSION = "{version}"
asked: list[list[str]] = []


def ask(question: str) -> str:
    sys.stdout.write(f"{question:50} : ")
    answer = sys.stdin.readline().rstrip("\n")
    if not answer:
        sys.exit("\n Error: Blank answer in scripted mode, exiting...\n")
    asked.append([question, answer])
    return answer


def number(question: str, least: float = -1e9, most: float = 1e9) -> float:
    answer = ask(question)
    if not (answer[0].isdigit() or answer[0] in "-.") or not least <= float(answer) <= most:
        sys.exit("\nError: Number outside of acceptable range!\n")
    return float(answer)


def yes(question: str) -> bool:
    answer = ask(question)
    if answer[0] not in "yYnN":
        sys.exit(f"\nError: {answer} is neither yes nor no\n")
    return answer[0] in "yY"


five = VERSION.startswith("5")
sys.stdout.write("\n\n        **   Welcome to Ctffind   **\n\n")
sys.stdout.write(f"            Version : {VERSION}\n           Compiled : Mar 28 2024\n")
if five:
    sys.stdout.write("    Library Version : 2.0.0-alpha-295\n        From Branch : main\n")
sys.stdout.write("               Mode : Scripted\n\n")
image = ask("Input image file name")
if not Path(image).is_file():
    sys.exit("\nError: File does not exist, please provide an existing file!\n")
diagnostic = Path(ask("Output diagnostic image file name"))
number("Pixel size", 0)
number("Acceleration voltage", 0)
number("Spherical aberration", 0)
number("Amplitude contrast", 0, 1)
box = int(number("Size of amplitude spectrum to compute", 128))
lowest = number("Minimum resolution", 0, 50)
number("Maximum resolution", 0, lowest)
smallest = number("Minimum defocus")
number("Maximum defocus", smallest)
number("Defocus search step", 1)
if yes("Do you know what astigmatism is present?"):
    sys.exit("not expected")
yes("Slower, more exhaustive search?")
if yes("Use a restraint on astigmatism?"):
    number("Expected (tolerated) astigmatism")
if yes("Find additional phase shift?"):
    least = number("Minimum phase shift (rad)", -3.15, 3.15)
    most = number("Maximum phase shift (rad)", least, 3.15)
    number("Phase shift search step", 0, most - least)
else:
    yes("Determine sample tilt?")
if five and yes("Determine sample thickness?"):
    yes("Use brute force 1D search?")
    yes("Use 2D refinement?")
    number("Low resolution limit for nodes", 0)
    number("High resolution limit for nodes", 0)
    yes("Use rounded square for nodes?")
    yes("Downweight nodes?")
if yes("Do you want to set expert options?"):
    if yes("Resample micrograph if pixel size too small?") and five:
        number("Target pixel size after resampling", 0)
    if yes("Do you already know the defocus?"):
        sys.exit("not expected")
    if five:
        yes("Weight down low resolution signal?")
    number("Desired number of parallel threads", 1)
if sys.stdin.read():
    sys.exit("more answers than questions")
Path(os.environ["STAND_IN_LOG"]).write_text(json.dumps(asked))

header = (
    f"# Output from CTFFind version {VERSION}, run on 2024-06-01 12:00:00\n"
    f"# Input file: {image} ; Number of micrographs: 1\n"
    "# Pixel size: 1.000 Angstroms ; acceleration voltage: 300.0 keV ; spherical aberration: 2.70 mm\n"
    f"# Box size: {box} pixels ; min. res.: {lowest} Angstroms\n"
)
columns = "# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; ...\n"
diagnostic.with_suffix(".txt").write_text(header + columns + os.environ["STAND_IN_RESULT"] + "\n")
frequency = np.arange(200) / 400
curves = [frequency, 1 / (1 + frequency), np.cos(80 * frequency**2), np.cos(81 * frequency**2)]
curves += [np.where(frequency == 0, np.nan, 0.9), np.full(200, 0.1)]
lines = [" ".join(f"{value:f}" for value in curve) for curve in curves]
rotational = (
    "# 6 lines per micrograph: #1 - spatial frequency (1/Angstroms); #2 - 1D rotational average ...\n"
)
diagnostic.with_name(f"{diagnostic.stem}_avrot.txt").write_text(header + rotational + "\n".join(lines) + "\n")
mrc = np.zeros(256, np.int32)
mrc[:4], mrc[7:10] = (box, box, 1, 2), (box, box, 1)
mrc[10:13] = np.array([box, box, 1], np.float32).view(np.int32)
mrc[16:19], mrc[52], mrc[53] = (1, 2, 3), int.from_bytes(b"MAP ", "little"), 0x4144
picture = np.random.default_rng(0).standard_normal((box, box)).astype(np.float32)
diagnostic.write_bytes(mrc.tobytes() + picture.tobytes())
