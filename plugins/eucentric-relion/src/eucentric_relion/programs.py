"""The programs of RELION that are run, and how."""

from eucentric.engine.programs import Program
from eucentric.engine.protocol import Task

Arguments = list[str | float]


def _relion(command: str) -> Program:
    return Program(
        name="relion",
        command=command,
        versions=">=3.1,<3.2",
        install="RELION 3.1 is on https://github.com/3dem/relion; Debian has it as the package relion.",
        version_pattern=r"RELION version: (\d+(?:\.\d+)+)",
    )


MOTION = _relion("relion_run_motioncorr")
AUTOPICK = _relion("relion_autopick")
REFINE = _relion("relion_refine")
REFINE_MPI = _relion("relion_refine_mpi")
MASK = _relion("relion_mask_create")
POSTPROCESS = _relion("relion_postprocess")
IMAGES = _relion("relion_image_handler")

MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",  # as in most containers
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",  # the process that leads has hardly anything to do
    "OMPI_MCA_hwloc_base_binding_policy": "none",  # threads may use other cores than their process's first
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
"""Environment of programs that are started by Open MPI's mpirun (OMPI until version 4, PRTE since 5)."""


def seed(task: Task) -> int:
    """Return the seed for RELION's random numbers, the same whenever the task is repeated."""
    return int(task.rng.integers(1, 2**31 - 1))
