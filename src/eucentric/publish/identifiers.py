"""Identifiers of people and organisations, checked by their own check digits."""

import re

_ORCID = re.compile(r"(?:https?://orcid\.org/)?((?:\d{4}-){3}\d{3}[\dX])")
_ROR = re.compile(r"(?:https?://ror\.org/)?(0[0-9a-hjkmnp-tv-z]{6}\d{2})")
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.IGNORECASE)
_BASE_32 = "0123456789abcdefghjkmnpqrstvwxyz"


def orcid(text: str) -> str:
    """Return an ORCID iD as `0000-0002-1825-0097`.

    Check digit: ISO 7064, mod 11-2, as ORCID describes it.

    Raises:
        ValueError: It is none.
    """
    match = _ORCID.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no ORCID iD; it looks like 0000-0002-1825-0097")
    digits = match[1].replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    if digits[-1] != ("X" if rest == 10 else str(rest)):
        raise ValueError(f"{text!r} is no ORCID iD: its check digit is wrong; copy it again")
    return match[1]


def ror(text: str) -> str:
    """Return the identifier of an organisation in the Research Organization Registry as `05dxps055`.

    Check digits: ISO 7064, mod 97-10, of the number that the letters stand for (Crockford's base 32).

    Raises:
        ValueError: It is none.
    """
    match = _ROR.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is no ROR identifier; it looks like https://ror.org/05dxps055")
    number = 0
    for letter in match[1][:-2]:
        number = number * 32 + _BASE_32.index(letter)
    if int(match[1][-2:]) != 98 - number * 100 % 97:
        raise ValueError(f"{text!r} is no ROR identifier: its check digits are wrong; copy it again")
    return match[1]


def doi(text: str) -> str:
    """Return a DOI as `10.1038/nmicrobiol.2016.269`.

    Raises:
        ValueError: It is none.
    """
    match = _DOI.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no DOI; it looks like 10.1038/nmicrobiol.2016.269")
    return match[1]
