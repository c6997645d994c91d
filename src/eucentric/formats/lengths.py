"""Units of length as files of many programs spell them."""

_ANGSTROMS = {
    "pm": 0.01, "picometer": 0.01, "picometre": 0.01,
    "a": 1.0, "å": 1.0, "ang": 1.0, "angstrom": 1.0, "ångström": 1.0,
    "nm": 10.0, "nanometer": 10.0, "nanometre": 10.0, "um": 1e4, "µm": 1e4, "μm": 1e4, "micrometer": 1e4,
    "micrometre": 1e4, "micron": 1e4, "mm": 1e7, "millimeter": 1e7, "millimetre": 1e7, "cm": 1e8, "m": 1e10,
    "meter": 1e10, "metre": 1e10,
}  # fmt: skip


def angstroms(unit: str) -> float | None:
    """Return how many Å a unit of length is, None for what is none.

    Knows abbreviations and names in any case, in the plural too, and the way of EMD files ("[n_m]").
    """
    plain = unit.strip().strip("[]").replace("_", "").replace("\N{ANGSTROM SIGN}", "Å").lower()
    return _ANGSTROMS.get(plain) or _ANGSTROMS.get(plain.removesuffix("s"))
