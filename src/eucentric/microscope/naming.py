"""The names of exposures: what a movie, its XML and its section in an .mdoc have in common."""

import re

_EPU_DATA = re.compile(r"(FoilHole_\d+_Data_\w*?_\d{8}_\d{4,6})(?:[_-]\w+)?", re.ASCII)
_ENDINGS = re.compile(
    r"(\.(mrcs?|tiff?|eer|dm[34]|mdoc|idoc|xml|st|ali|emd|ser|emi|h5|jpe?g|bz2|gz)|_EER|_Fractions)$",
    re.IGNORECASE,
)


def file_name(path: str) -> str:
    """Return the last part of a path of the acquisition computer, in the manner of Windows or of Unix."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def exposure_name(path: str) -> str:
    """Return the name of the exposure that a file belongs to: its file name without what tells files apart.

    Of EPU that is the name up to the time, of others the name without endings, `_Fractions` and `_EER` among
    them: `a_Fractions.tiff`, `a_EER.eer` and `a.xml`; `b.tif`, `b.tif.mdoc` and `b.mdoc`.
    """
    name = file_name(path)
    if data := _EPU_DATA.match(name):
        return data[1]
    while shorter := _ENDINGS.sub("", name):
        if shorter == name:
            break
        name = shorter
    return name
