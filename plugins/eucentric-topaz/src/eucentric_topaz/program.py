"""Where Topaz is, and the command that makes its environment.

Picking: Bepler et al. (2019), Nat. Methods 16, 1153. Denoising: Bepler et al. (2020), Nat. Commun. 11, 5208.
"""

from pathlib import Path

from eucentric.engine.programs import Environment, Program
from eucentric.engine.programs import environment as environments
from eucentric.engine.protocol import Task

# What `topaz denoise` and `topaz extract` import. torchvision is only wanted for training, and the one
# on PyPI does not load beside a torch without CUDA.
ENVIRONMENT = Environment(
    name="topaz",
    alone=("topaz-em==0.3.20",),
    requirements=(
        "torch==2.13.0",
        "numpy>=2",
        "pandas>=2.2",
        "scipy>=1.14",
        "pillow>=11",
        "h5py>=3.12",
        "tqdm>=4.65",
        "setuptools<81",  # with pkg_resources, by which it finds its weights before Python 3.12
    ),
)

TOPAZ = Program(
    name="topaz",
    command="topaz",
    versions=">=0.3,<0.4",
    install="`eucentric-topaz install` makes an environment with it.",
    home=ENVIRONMENT.home / "bin",
)

_LAUNCHER = '''#!{python}
"""Starts the command of Topaz that is asked for, and imports no other: training needs torchvision."""

import importlib
import sys

import topaz

if sys.argv[1:] == ["--version"]:
    sys.exit(print(topaz.__version__))
if not sys.argv[1:] or not sys.argv[1].isidentifier():
    sys.exit("usage: topaz COMMAND ...; here denoise and extract are known to work")
command = importlib.import_module("topaz.commands." + sys.argv[1])
command.main(command.add_arguments().parse_args(sys.argv[2:]))
'''


def write_launcher(folder: Path) -> None:
    """Replace the program `topaz` of an environment, which imports what only training needs, by ours.

    Args:
        folder: The folder of the environment's programs.
    """
    file = folder / TOPAZ.command
    file.write_text(_LAUNCHER.format(python=folder / "python"))
    file.chmod(0o755)


def main() -> None:
    """Be the command `eucentric-topaz`."""
    environments.main(ENVIRONMENT, TOPAZ, write_launcher)


def where_to_compute(task: Task) -> list[str]:
    """Return Topaz's options for the task's device and threads."""
    return ["-d", "-1" if task.device == "cpu" else "0", "-j", str(task.cpus)]
