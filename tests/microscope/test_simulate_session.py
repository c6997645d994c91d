"""Sessions as they are written: files, faults, growth, companions, truth."""

import threading
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from eucentric.formats import FormatError, open_frames, read_image, read_info
from eucentric.formats.mdoc import read_mdoc
from eucentric.microscope.simulate import (
    ExposureTruth,
    MovieFormat,
    SimulationSettings,
    read_truth,
    simulate_session,
)
from eucentric.microscope.simulate import writing as writing_module

SMALL = SimulationSettings(exposures=1, width=160, height=96, frames=4, particles=1, pixel_size=2, dose=10)


def _read(path: Path) -> np.ndarray:
    with open_frames(path, threads=1) as movie:
        return np.array(list(movie))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".tiff", ".mrc")}


def test_a_session_is_laid_out_as_promised(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"exposures": 2})
    seen: list[ExposureTruth] = []
    truths = simulate_session(tmp_path / "s", settings, on_exposure=seen.append)
    files = sorted(str(path.relative_to(tmp_path / "s")) for path in (tmp_path / "s").rglob("*.*"))
    assert files == [
        "gain.mrc",
        *(f"movies/GroEL_000{n}.tiff{suffix}" for n in (1, 2) for suffix in ("", ".mdoc")),
        "truth.json",
    ]
    assert seen == truths
    truth = read_truth(tmp_path / "s")
    assert truth.exposures == truths
    assert truth.settings == settings
    assert (tmp_path / "s" / truth.gain_path).is_file()


def test_a_movie_has_the_promised_frames(tmp_path: Path) -> None:
    simulate_session(tmp_path, SMALL)
    info = read_info(tmp_path / "movies" / "GroEL_0001.tiff")
    assert (info.frames, info.height, info.width, info.dtype) == (4, 96, 160, np.dtype("u1"))
    assert info.pixel_size == pytest.approx(2, rel=1e-4)


def test_the_same_seed_gives_the_same_files_and_another_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_session(tmp_path / name, SMALL.model_copy(update={"seed": seed}))
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    ours, others = (_contents(tmp_path / name) for name in ("a", "c"))
    assert all(ours[name] != others[name] for name in ours)


@pytest.mark.parametrize("movie_format", ["mrc-int8", "mrc-int16", "mrc-float32"])
@pytest.mark.parametrize("growing", [False, True])
def test_every_format_holds_the_same_counts(tmp_path: Path, movie_format: MovieFormat, growing: bool) -> None:
    simulate_session(tmp_path / "tiff", SMALL)
    other = SMALL.model_copy(update={"movie_format": movie_format, "growing": growing, "growth_time": 0.0})
    simulate_session(tmp_path / "mrc", other)
    tiff = _read(tmp_path / "tiff" / "movies" / "GroEL_0001.tiff")
    mrc = _read(tmp_path / "mrc" / "movies" / "GroEL_0001.mrc")
    assert mrc.dtype == np.dtype(movie_format.removeprefix("mrc-"))
    np.testing.assert_array_equal(mrc, tiff)
    assert not list((tmp_path / "mrc" / "movies").glob(".*"))


def test_a_whole_movie_is_never_seen_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "movies" / "GroEL_0001.tiff"
    seen_while_writing = []
    write = writing_module.write_tiff

    def watched(path: Path, frames: list[np.ndarray], **options: object) -> None:
        def one_by_one() -> object:
            for frame in frames:
                seen_while_writing.append(final.exists())
                yield frame

        write(path, one_by_one(), **options)  # type: ignore[arg-type]
        seen_while_writing.append(final.exists())

    monkeypatch.setattr(writing_module, "write_tiff", watched)
    simulate_session(tmp_path, SMALL)
    assert seen_while_writing == [False] * 5
    assert len(_read(final)) == 4


def test_a_growing_tiff_is_a_valid_shorter_movie_after_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "movies" / "GroEL_0001.tiff"
    lengths = []
    grow = writing_module._grow_tiff

    def watched(path: Path, frames: list[np.ndarray], pixel_size: float, pause: object) -> None:
        grow(path, frames, pixel_size, lambda: lengths.append(read_info(final).frames))

    monkeypatch.setattr(writing_module, "_grow_tiff", watched)
    simulate_session(tmp_path / "whole", SMALL)
    simulate_session(tmp_path, SMALL.model_copy(update={"growing": True, "growth_time": 0.0}))
    assert lengths == [1, 2, 3, 4]
    np.testing.assert_array_equal(_read(final), _read(tmp_path / "whole" / "movies" / "GroEL_0001.tiff"))


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("movie_format", ["tiff", "mrc-int16"])
def test_broken_files(tmp_path: Path, movie_format: MovieFormat, growing: bool) -> None:
    settings = SMALL.model_copy(
        update={
            "exposures": 2,
            "faults": {1: "truncated", 2: "zero-byte"},
            "movie_format": movie_format,
            "growing": growing,
            "growth_time": 0.0,
        }
    )
    truths = simulate_session(tmp_path, settings)
    assert [truth.fault for truth in truths] == ["truncated", "zero-byte"]
    cut, empty = (tmp_path / "movies" / truth.name for truth in truths)
    assert empty.stat().st_size == 0
    if growing and movie_format == "tiff":
        assert read_info(cut).frames == 2
    else:
        with pytest.raises(FormatError):
            _read(cut)


def test_the_mdoc_says_what_was_intended(tmp_path: Path) -> None:
    folder = tmp_path / "Grüße"  # paths need not be ASCII
    (truth,) = simulate_session(folder, SMALL)
    mdoc = read_mdoc(folder / "movies" / "GroEL_0001.tiff.mdoc")
    (section,) = mdoc.sections
    assert (section.kind, section.name) == ("FrameSet", "0")
    assert mdoc.numbers("Voltage") == (300,)
    assert section.numbers("TargetDefocus") == pytest.approx((-truth.target_defocus / 1e4,), rel=1e-4)
    assert section.numbers("PixelSpacing") == (2,)
    assert section.numbers("ExposureDose") == (10,)
    assert section.numbers("FrameDosesAndNumber") == (2.5, 4)
    assert section.numbers("StagePosition") == pytest.approx(truth.stage, rel=1e-4)
    assert section.values["SubFramePath"] == str(folder / "movies" / "GroEL_0001.tiff")


def test_a_late_mdoc_comes_after_its_movie_and_never_stays_away(tmp_path: Path) -> None:
    there = []
    settings = SMALL.model_copy(update={"metadata_delay": 0.3})
    simulate_session(
        tmp_path, settings, on_exposure=lambda truth: there.extend((tmp_path / "movies").glob("*.mdoc"))
    )
    assert there == []
    assert (tmp_path / "movies" / "GroEL_0001.tiff.mdoc").is_file()


def test_stopping_ends_the_session_with_whole_files(tmp_path: Path) -> None:
    stop = threading.Event()
    settings = SMALL.model_copy(update={"exposures": 50, "metadata_delay": 3600.0})
    truths = simulate_session(tmp_path, settings, on_exposure=lambda truth: stop.set(), stop=stop)
    assert len(truths) == 1
    names = sorted(path.name for path in (tmp_path / "movies").iterdir())
    assert names == ["GroEL_0001.tiff", "GroEL_0001.tiff.mdoc"]
    assert read_truth(tmp_path).exposures == truths


def test_a_stop_wakes_a_session_that_waits_for_its_next_exposure(tmp_path: Path) -> None:
    stop = threading.Event()
    settings = SMALL.model_copy(update={"exposures": 2, "interval": 3600.0})
    session = threading.Thread(target=simulate_session, args=(tmp_path, settings), kwargs={"stop": stop})
    session.start()
    stop.set()
    session.join(timeout=100)
    assert not session.is_alive()
    assert read_truth(tmp_path).exposures == []


def test_a_session_is_not_written_over_another(tmp_path: Path) -> None:
    simulate_session(tmp_path, SMALL)
    with pytest.raises(FileExistsError, match="choose another folder"):
        simulate_session(tmp_path, SMALL)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"min_defocus": 9000, "max_defocus": 8000}, "smaller than min_defocus"),
        ({"exposures": 2, "faults": {3: "empty"}}, r"exposures \[3\]"),
        ({"dose": 100, "frames": 1}, "use more frames"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SimulationSettings.model_validate(values)


def test_the_gain_reference_is_in_the_movies_row_order(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"gain_variation": 0.2, "frames": 200, "dose": 1000, "particles": 0})
    simulate_session(tmp_path, settings)
    mean = _read(tmp_path / "movies" / "GroEL_0001.tiff").mean(axis=0)
    gain = read_image(tmp_path / "gain.mrc")
    live = (gain > 0) & (mean < 60)
    assert np.corrcoef(1 / gain[live], mean[live])[0, 1] > 0.9
    assert (
        abs(np.corrcoef(1 / gain[::-1][live & (gain[::-1] > 0)], mean[live & (gain[::-1] > 0)])[0, 1]) < 0.9
    )
