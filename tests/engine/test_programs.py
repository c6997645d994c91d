"""Outside programs: found, checked, run under plain names, ended with their worker; failures told."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from eucentric.engine.programs import NoSpaceForProgram, Program, ProgramFailed, Workplace
from eucentric.engine.programs.output import MOST_LINES, Output
from eucentric.engine.protocol import Task
from eucentric.engine.worker import TaskSpec, execute
from eucentric.store import Site, SiteError

TELL = 'if [ "$1" = --version ]; then echo "tool version: 2.5.1"; exit; fi\n'


def make(folder: Path, script: str, name: str = "tool") -> Path:
    """Write a program: the shell script, which tells its version."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{TELL}{script}\n")
    file.chmod(0o755)
    return file


def tool(versions: str = ">=2,<3") -> Program:
    return Program(name="tool", command="tool", versions=versions, install="Its makers have it.")


def new_task(folder: Path, site: Path | None = None, **more: object) -> Task:
    (folder / "work").mkdir(parents=True)
    log = logging.getLogger(f"programs.{folder}")
    log.setLevel(logging.INFO)
    return Task(("a", "e"), folder / "work", "runs/r", folder, site, log=log, **more)  # type: ignore[arg-type]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of a session whose path has a blank and a quote; PATH begins with the folder `bin`."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return new_task(tmp_path / "it's a session", cpus=3)


def run(script: str, task: Task, tmp_path: Path, arguments: tuple[str, ...] = (), **options: object):
    make(tmp_path / "bin", script)
    with Workplace.of(task) as place:
        return tool().run(arguments, task, folder=place.folder, **options)  # type: ignore[arg-type]


# -------------------------------------------------------------------- running


def test_a_program_reads_odd_paths_by_plain_names_and_its_results_are_kept(
    task: Task, tmp_path: Path
) -> None:
    (task.session / "a 'b'\n$(c).txt").write_text("2\n1\n")
    make(tmp_path / "bin", "sort -n data/in.txt > out.txt; pwd -P > place.txt")
    with Workplace.of(task) as place:
        name = place.link("data/in.txt", "a 'b'\n$(c).txt")
        tool().run(["-x", 3, Path("y")], task, folder=place.folder, expects=["out.txt"])
        assert (name, place.path("place.txt").read_text().strip()) == ("data/in.txt", str(place.folder))
        kept = place.keep("out.txt", "sorted.txt")
    assert kept == "runs/r/sorted.txt"
    assert [file.name for file in task.folder.iterdir()] == ["sorted.txt"]
    assert (task.folder / "sorted.txt").read_text() == "1\n2\n"


@pytest.mark.parametrize("name", ["a b", "../a", "/a", "a/../b", "-rf", "", "a\n", "ä", "a//b", "$x"])
def test_names_that_some_program_would_not_understand_are_refused(task: Task, name: str) -> None:
    with pytest.raises(ValueError, match="is no plain name"):
        Workplace(task).path(name)


def test_arguments_reach_the_program_as_they_are(task: Task, tmp_path: Path) -> None:
    odd = ("a b", "$HOME", "*", "", "'\"", "; rm -rf x", "\\")
    done = run('for each in "$@"; do echo "<$each>"; done', task, tmp_path, odd)
    assert done.lines == tuple(f"<{each}>" for each in odd)


def test_what_it_prints_goes_to_the_log_without_what_is_written_over(
    task: Task, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    done = run(
        r"printf '10 %%\r50 %%\r100 %%\n\033[31mred\033[0m\n\nend of\r\nlast \377' ; echo oops >&2",
        task,
        tmp_path,
        watch=seen.append,
    )
    assert done.lines == ("100 %", "red", "end of", "last \N{REPLACEMENT CHARACTER}oops")
    assert seen == ["10 %", "50 %", *done.lines]
    assert done.version == "2.5.1"
    logged = [record.getMessage() for record in caplog.records]
    assert logged[0].startswith(f"tool 2.5.1: {tmp_path}/bin/tool")
    assert logged[1:-1] == list(done.lines)
    assert logged[-1].startswith("tool took ")


def test_endless_output_neither_fills_the_log_nor_memory(caplog: pytest.LogCaptureFixture) -> None:
    output = Output(logging.getLogger("endless"))
    caplog.set_level(logging.INFO)
    for _ in range(21):
        output.feed(b"line\n" * 1000)
    assert len(caplog.records) == MOST_LINES + 1
    for _ in range(300):
        output.feed(b"x" * 10_000)
    output.close()
    assert len(output._pending) == 0
    assert len(output.last[-1]) == 2000


def test_it_is_told_its_threads_and_no_gpu_and_nothing_of_our_python(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    script = 'echo "$OMP_NUM_THREADS,$CUDA_VISIBLE_DEVICES,$PYTHONPATH,$EXTRA"; read line; echo "$line"; cat'
    options = {"environment": {"EXTRA": "e"}, "answers": "first\nsecond\n"}
    assert run(script, task, tmp_path, **options).lines == ("3,,,e", "first", "second")
    gpu = new_task(tmp_path / "gpu", device="cuda")
    assert run(script, gpu, tmp_path).lines[0] == "1,1,,"


def test_a_launcher_starts_it(task: Task, tmp_path: Path) -> None:
    assert run('echo "$MODE $1"', task, tmp_path, ("a",), launcher=("env", "MODE=mpi")).lines == ("mpi a",)
    with pytest.raises(ProgramFailed, match=r"^tool is started by no-mpirun, which was not found in PATH\.$"):
        run("", new_task(tmp_path / "other"), tmp_path, launcher=("no-mpirun", "-n", "3"))


def test_its_time_and_memory_are_measured(task: Task, tmp_path: Path) -> None:
    code = "x = bytearray(200_000_000); sum(range(3_000_000))"
    done = run(f"exec {sys.executable} -c '{code}'", task, tmp_path)
    assert 190e6 < done.memory < 400e6
    assert 0 < done.cpu_seconds < 20


# -------------------------------------------------------------------- finding


def test_the_site_says_where_programs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    file = make(tmp_path / "my tools", "echo $0")
    odd = make(tmp_path / "elsewhere", "echo other", "tool-2.5")
    launcher = make(tmp_path / "bin", 'test "$1" = run && shift && exec "$@"', "launch")
    launcher.write_text(f'#!/bin/sh\nPATH="{file.parent}:$PATH"; shift 2; exec "$@"\n')
    for setting, said in [
        (f'"{file.parent}"', str(file)),
        (f'"{odd}"', "other"),
        (f'["{launcher}", "-n", "env"]', str(file)),
    ]:
        site = tmp_path / f"site{abs(hash(setting))}"
        Site.create(site, f"[programs]\ntool = {setting}\n")
        task = new_task(site / "s", site)
        with Workplace.of(task) as place:
            assert tool().run([], task, folder=place.folder).lines == (said,)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", r"The program tool was not found in PATH\. Its makers have it\. Where it lies elsewhere"),
        ('[programs]\ntool = "/nowhere"\n', r"not found at /nowhere \(`tool` in \[programs\] of eucentric"),
        ('[programs]\ntool = ["/nowhere/conda", "run"]\n', r"not found through /nowhere/conda run"),
    ],
)
def test_a_missing_program_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, told: str
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    Site.create(tmp_path / "site", settings)
    with pytest.raises(ProgramFailed, match=told):
        tool().find(tmp_path / "site")
    assert Program("sort", "sort", ">=1", "").find(tmp_path / "site") == ("/usr/bin/sort",)
    assert Program("sort", "sort", ">=1", "").find(tmp_path) == ("/usr/bin/sort",)


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    for wrong in ("3", "[]", '""', '["a", 1]'):
        with pytest.raises(SiteError, match=r"programs\.tool"):
            Site.create(tmp_path / "site", f"[programs]\ntool = {wrong}\n")


def test_a_wrong_version_is_told_and_asked_for_once(task: Task, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    file = make(tmp_path / "bin", "")
    file.write_text(f"#!/bin/sh\necho x >> {asked}; echo 'tool version: 2.5.1-commit-abc'\n")
    words = tool().find(None)
    assert [tool().version(words) for _ in range(3)] == ["2.5.1"] * 3
    assert asked.read_text() == "x\n"
    with pytest.raises(ProgramFailed, match=r"bin/tool is version 2\.5\.1, but >=3 is needed\. Its makers"):
        tool(">=3").version(words)
    file.write_text("#!/bin/sh\necho tool: I know no --version; exit 3\n")
    os.utime(file, (1, 1))
    with pytest.raises(
        ProgramFailed, match=r"does not tell its version as tool does\. Its last lines: tool: I"
    ):
        tool().version(words)


def test_what_is_no_program_is_told(task: Task, tmp_path: Path) -> None:
    make(tmp_path / "bin", "").write_bytes(b"#!/nowhere/interpreter\n")
    with pytest.raises(ProgramFailed, match=r"bin/tool cannot be started: No such file or directory\."):
        tool().version(tool().find(None))


# -------------------------------------------------------------------- failing


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "echo one; echo; echo two >&2; exit 4",
            r"^tool 2\.5\.1 ended with exit code 4\. Its last lines: one / two$",
        ),
        ("exit 1", r"^tool 2\.5\.1 ended with exit code 1\. It printed nothing\.$"),
        ("kill -SEGV $$", r"was killed by SIGSEGV\."),
        ("kill -KILL $$", r"was killed by SIGKILL, as the system does where memory runs out\."),
        ("exit 137", r"exit code 137, as the system does where memory runs out"),
        (
            "echo \"terminate called: 'std::bad_alloc'\"; kill -ABRT $$",
            r"ran out of memory and was killed by SIGABRT\. Its last lines: .*bad_alloc",
        ),
        ("echo done", r"ended well but did not write out\.mrc\. Its last lines: done"),
        (": > out.mrc", r"did not write out\.mrc"),
        ("for i in $(seq 30); do echo line $i; done; exit 1", r"lines: line 23 / .* / line 30$"),
    ],
)
def test_a_failure_is_told_with_the_last_lines(task: Task, tmp_path: Path, script: str, told: str) -> None:
    with pytest.raises(ProgramFailed, match=told):
        run(script, task, tmp_path, expects=["out.mrc"])


def test_a_program_that_takes_too_long_is_ended(task: Task, tmp_path: Path) -> None:
    with pytest.raises(
        ProgramFailed, match=r"^tool 2\.5\.1 was ended after 0\.5 seconds\. Its last lines: begun"
    ):
        run("echo begun; exec sleep 1000", task, tmp_path, timeout=0.5)


@pytest.mark.parametrize(
    "script", ["echo write: No space left on device; exit 1", "echo 'Disk quota exceeded'"]
)
def test_a_program_that_says_so_found_no_space(task: Task, tmp_path: Path, script: str) -> None:
    with pytest.raises(
        NoSpaceForProgram, match=r"^tool 2\.5\.1 found no space to write in .*Its last lines: "
    ):
        run(script, task, tmp_path, expects=["out"])


@pytest.mark.parametrize("small_disk", ["3m"], indirect=True)
@pytest.mark.parametrize("silent", [False, True])
def test_a_full_disk_holds_the_engine_whatever_the_program_says(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    script = "dd if=/dev/zero of=out bs=1M count=10 status=none" + (" 2>/dev/null; exit 0" if silent else "")
    monkeypatch.setenv("PATH", f"{make(tmp_path / 'bin', script).parent}:{os.environ['PATH']}")
    site = Site.create(tmp_path / "site")
    (site.protocols_folder / "tool.py").write_text(PROTOCOL)
    spec = spec_for(site, small_disk)
    result = execute(spec)
    assert result.status == "no_space"
    assert result.reason.startswith(f"tool 2.5.1 found no space to write in {small_disk}")


PROTOCOL = """
from eucentric.engine.programs import Program, Workplace
from eucentric.engine.protocol import Protocol, Task
from eucentric.metadata import Item

class Made(Item):
    number: int

class RunTool(Protocol):
    "Run the tool."

    name = "run-tool"
    version = "1"

    def process(self, made: Made, task: Task) -> Made:
        with Workplace.of(task) as place:
            Program("tool", "tool", ">=2", "").run([], task, folder=place.folder)
        return Made(number=1)
"""


def spec_for(site: Site, session: Path) -> TaskSpec:
    return TaskSpec(
        protocol="run-tool",
        protocols=str(site.protocols_folder),
        inputs={"made": {"kind": "made", "data": {"number": 0}}},
        path=("a", "e"),
        session=str(session),
        work="work/1",
        destination="runs/1",
        log="logs/1.log",
        seed="0",
    )


def test_the_reason_of_a_failed_task_names_the_program(tmp_path: Path) -> None:
    site = Site.create(tmp_path / "site", f'[programs]\ntool = "{tmp_path / "bin"}"\n')
    (site.protocols_folder / "tool.py").write_text(PROTOCOL)
    make(tmp_path / "bin", "echo hello; exit 9")
    result = execute(spec_for(site, tmp_path / "session"))
    assert result.status == "failed"
    assert result.reason == "ProgramFailed: tool 2.5.1 ended with exit code 9. Its last lines: hello"
    assert "INFO hello\n" in (tmp_path / "session/logs/1.log").read_text()


# -------------------------------------------------------------------- ending

SPAWN = """
(trap '' TERM HUP INT; exec setsid sh -c 'echo $$ >> pids; exec sleep 1000') &
(sleep 1000 & echo $! >> pids) &
echo $$ > program; echo $$ >> pids
while [ $(wc -l < pids) -lt 3 ]; do sleep 0.01; done
echo ready
"""


def gone(pids: list[int], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    alive = pids
    while alive and time.monotonic() < until:
        time.sleep(0.02)
        alive = [pid for pid in alive if psutil.pid_exists(pid) and not zombie(pid)]
    return not alive


def zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_nothing_that_it_began_outlives_it(task: Task, tmp_path: Path) -> None:
    make(tmp_path / "bin", SPAWN)
    with Workplace.of(task) as place:
        assert tool().run([], task, folder=place.folder).lines == ("ready",)
        pids = [int(each) for each in place.path("pids").read_text().split()]
    assert len(pids) == 3
    assert gone(pids)


WORKER = """
import sys
from pathlib import Path
from eucentric.engine.programs import Program
from eucentric.engine.protocol import Task
folder = Path(sys.argv[1])
Program("tool", "tool", ">=2", "").run([], Task((), folder, "", folder), folder=folder)
"""


@pytest.mark.parametrize("victims", ["worker", "keeper", "worker and keeper", "program"])
def test_it_dies_with_whoever_runs_it(tmp_path: Path, task: Task, victims: str) -> None:
    make(tmp_path / "bin", SPAWN + "wait; sleep 1000")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    pids = tmp_path / "pids"
    while not pids.is_file() or len(pids.read_text().split()) < 3:
        assert worker.poll() is None
        time.sleep(0.02)
    (keeper,) = (child.pid for child in psutil.Process(worker.pid).children())
    begun = [int(pid) for pid in pids.read_text().split()]
    program = int((tmp_path / "program").read_text())
    moved = {pid for pid in begun if os.getsid(pid) == pid}
    assert len(moved) == 1
    chosen = {"worker": [worker.pid], "keeper": [keeper], "program": [program]}
    for pid in chosen.get(victims, [worker.pid, keeper]):
        os.kill(pid, signal.SIGKILL)
    _, said = worker.communicate(timeout=30)
    assert ("ProgramFailed" in said) == (not victims.startswith("worker"))
    dying = {"worker and keeper": [program], "keeper": [*set(begun) - moved]}.get(victims, begun)
    assert gone([keeper, *dying])
    for pid in set(begun) - set(dying):
        os.kill(pid, signal.SIGKILL)
