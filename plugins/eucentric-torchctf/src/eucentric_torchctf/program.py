"""Where torch-ctf-estimation is, and the command that makes its environment."""

from pathlib import Path

from eucentric.engine.programs import Environment, Program
from eucentric.engine.programs import environment as environments

PACKAGE = "torch-ctf-estimation"

# All that it imports but torchvision, of which it wants one function, which the driver has: what is on PyPI
# does not load beside a torch without CUDA.
ENVIRONMENT = Environment(
    name="torchctf",
    alone=(f"{PACKAGE}==0.6.0",),
    requirements=(
        "torch==2.13.0",
        "numpy>=2",
        "scipy>=1.14",
        "einops>=0.8",
        "pydantic>=2,<3",
        "teamtomo-basemodel==0.6.0",
        "torch-ctf==0.6.0",
        "torch-cubic-spline-grids==0.6.0",
        "torch-fourier-filter==0.6.0",
        "torch-fourier-rescale==0.6.0",
        "torch-grid-utils==0.6.0",
        "torch-image-interpolation==0.6.0",
    ),
)

TORCHCTF = Program(
    name="torchctf",
    command="python",
    versions=">=0.6,<0.7",
    install=f"`eucentric-torchctf install` makes an environment with {PACKAGE}.",
    version_args=("-c", f"import importlib.metadata as m; print('{PACKAGE}', m.version('{PACKAGE}'))"),
    version_pattern=rf"{PACKAGE} (\d+(?:\.\d+)+)",
    home=ENVIRONMENT.home / "bin",
)

DRIVER = Path(__file__).with_name("driver.py")


def main() -> None:
    """Be the command `eucentric-torchctf`."""
    environments.main(ENVIRONMENT, TORCHCTF)
