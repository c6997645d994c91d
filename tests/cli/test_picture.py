import io
from pathlib import Path

import pytest
from rich.console import Console

from eucentric.cli.looking import Look
from eucentric.cli.picture import duration, histogram, picture
from eucentric.engine.overview import ExposureOverview, Failure, Made, RunOverview, SessionOverview


def look(exposures: int, failures: int = 0, held: str | None = None) -> Look:
    none = {"running": 0, "waiting": 0, "failed": failures, "rejected": 0, "withdrawn": 0, "versions": 0}
    runs = [
        RunOverview(
            name=name,
            protocol=name,
            revision=2,
            closed=False,
            source=name == "movies",
            done=exposures,
            **none,
        )
        for name in ("movies", "align", "ctf", "statistics")
    ]
    overview = SessionOverview(name="night", created=0, engine="running", holder=None, held=held, runs=runs)
    ctf = {"defocus_u": 20_000, "defocus_v": 18_000, "resolution": 3.5}
    newest = [
        ExposureOverview(
            path=("grid", f"exposure_{number:03d}"),
            items={
                "movie": Made(data={"modified": 100.0 * number}, created=0),
                "micrograph": Made(data={"motion_total": 10.0}, created=0),
                "ctf": Made(data=ctf, created=100.0 * number + 5),
            },
            states={"ctf": "done"},
        )
        for number in range(exposures)
    ]
    failed = [
        Failure(
            run="ctf", path=f"grid/x{n}", state="failed", reason="/a/b/c.mrc: bad", log=None, finished=None
        )
        for n in range(failures)
    ]
    return Look("night", Path("/x"), 75, overview, exposures, newest, failed, {})


def drawn(what: Look, width: int = 100, height: int = 40) -> str:
    console = Console(width=width, height=height, file=io.StringIO())
    console.print(picture(what, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_picture_shows_what_counts() -> None:
    text = drawn(look(5))
    for word in ("session night", "running", "1:15", "revision 2", "1.90 µm", "2000 Å", "3.5 Å", "5.0 s"):
        assert word in text
    assert "36 / h" in text  # one every 100 s


def test_failures_are_named_by_file_not_by_folder() -> None:
    text = drawn(look(5, failures=2))
    assert "c.mrc: bad" in text
    assert "/a/b" not in text


def test_an_empty_session_can_be_drawn() -> None:
    assert "Newest exposures" in drawn(look(0))


@pytest.mark.parametrize("height", [24, 30, 40, 60])
@pytest.mark.parametrize("held", [None, "The disk is full."])
def test_it_fits_the_terminal(height: int, held: str | None) -> None:
    lines = drawn(look(30, failures=5, held=held), width=80, height=height).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= 80


def test_one_outlier_does_not_hide_all_others() -> None:
    line = histogram([*range(20), 1000], 10)
    assert len(line) == 10
    assert line.count("▁") < 5
    assert histogram([], 5) == ""
    assert histogram([2.0, 2.0], 5) == "▁▁█▁▁"


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.26, "1.3 s"), (90, "1.5 min"), (5400, "1.5 h"), (200_000, "2.3 d")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_what_matters_is_never_cut(width: int) -> None:
    text = drawn(look(5), width=width)
    for word in ("exposure_004", "1.90 µm", "3.5 Å", "10.0 Å", "5.0 s", "median defocus"):
        assert word in text
