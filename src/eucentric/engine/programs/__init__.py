"""Outside programs: found, checked, run, and ended with whoever asked for them.

A plug-in declares each program once and runs it from `process` or `update`:

>>> from eucentric.engine.programs import Program
>>> SORT = Program(name="coreutils", command="sort", versions=">=8", install="It comes with every Linux.")

`SORT.run(["-n", "numbers.txt"], task, folder=place.folder)` then runs it in the `Workplace` of the task.
The program's output goes to the task's log; when it cannot be found, is of a version that the plug-in was not
made for, crashes, or runs out of memory, time or disk, the message names it and shows its last lines.
"""

from eucentric.engine.programs.environment import Environment
from eucentric.engine.programs.failure import NoSpaceForProgram, ProgramFailed
from eucentric.engine.programs.program import Finished, Program
from eucentric.engine.programs.workplace import Workplace

__all__ = ["Environment", "Finished", "NoSpaceForProgram", "Program", "ProgramFailed", "Workplace"]
