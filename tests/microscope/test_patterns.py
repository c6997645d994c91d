import pytest

from eucentric.microscope.patterns import Patterns, is_ignored


def matches(pattern: str, path: str) -> bool:
    patterns = Patterns([pattern])
    *folders, file = path.split("/")
    position = patterns.root
    for folder in folders:
        position = patterns.into(position, folder)
    return patterns.matches(position, file)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.tiff", "a.tiff", True),
        ("*.tiff", "a.tif", False),
        ("*.tiff", "sub/a.tiff", False),
        ("**/*.tiff", "a.tiff", True),
        ("**/*.tiff", "x/y/z/a.tiff", True),
        ("movies/*.tiff", "movies/a.tiff", True),
        ("movies/*.tiff", "other/a.tiff", False),
        ("Images-Disc?/**/Data/*_fractions.tiff", "Images-Disc1/GridSquare_1/Data/f_fractions.tiff", True),
        ("Images-Disc?/**/Data/*_fractions.tiff", "Images-Disc1/Data/f_fractions.tiff", True),
        ("Images-Disc?/**/Data/*_fractions.tiff", "Images-Disc1/Data/x/f_fractions.tiff", False),
        ("movies/**", "movies/x/a.eer", True),
        ("movies/**", "a.eer", False),
        ("**/**/*.mrc", "a/b.mrc", True),
        ("[ab]*.mrc", "c1.mrc", False),
        ("./a.mrc", "a.mrc", True),
    ],
)
def test_pattern(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def test_folders_that_no_pattern_reaches_are_not_entered() -> None:
    patterns = Patterns(["movies/*.tiff", "a/**/x.mdoc"])
    assert patterns.into(patterns.root, "movies")
    assert not patterns.into(patterns.root, "atlas")
    assert not patterns.into(patterns.into(patterns.root, "movies"), "deeper")
    assert patterns.into(patterns.into(patterns.root, "a"), "b")


@pytest.mark.parametrize("pattern", ["", "/data/*.tiff", "../*.tiff", "a//b", "movies/"])
def test_a_pattern_that_leaves_the_root_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="must be relative"):
        Patterns([pattern])


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        (".movie_0001.tiff.Xy12Ab", True),
        (".nfs0000000000c0ffee", True),
        ("movie.tiff.part", True),
        ("movie.tiff.filepart", True),
        ("movie.TMP", True),
        ("movie.tiff~", True),
        ("movie.tiff", False),
        ("tmp.tiff", False),
    ],
)
def test_hidden_and_unfinished_names(name: str, ignored: bool) -> None:
    assert is_ignored(name) is ignored
