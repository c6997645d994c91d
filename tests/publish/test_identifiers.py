import pytest

from eucentric.publish.identifiers import doi, orcid, ror


@pytest.mark.parametrize(
    "text", ["0000-0002-1825-0097", "https://orcid.org/0000-0001-5109-3700", "0000-0002-1694-233X"]
)
def test_orcids_of_the_registry_are_taken(text: str) -> None:
    assert orcid(f" {text} ") == text.removeprefix("https://orcid.org/")


@pytest.mark.parametrize(
    "text", ["0000-0002-1825-0098", "0000-0002-1694-2333", "0000-0002-1825-00", "", "0000000218250097"]
)
def test_others_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="is no ORCID iD"):
        orcid(text)


@pytest.mark.parametrize("text", ["https://ror.org/05dxps055", "05a28rw58", "https://ror.org/02catss52"])
def test_organisations_of_the_registry_are_taken(text: str) -> None:
    assert ror(text) == text[-9:]


@pytest.mark.parametrize(
    "text", ["https://ror.org/05dxps056", "05a28rw85", "15dxps055", "https://example.org/05dxps055"]
)
def test_other_organisations_are_not(text: str) -> None:
    with pytest.raises(ValueError, match="is no ROR identifier"):
        ror(text)


@pytest.mark.parametrize(
    "text",
    [
        "10.1038/nmicrobiol.2016.269",
        "https://doi.org/10.1038/nmicrobiol.2016.269",
        "doi:10.1038/nmicrobiol.2016.269",
    ],
)
def test_dois_in_every_way_of_writing(text: str) -> None:
    assert doi(text) == "10.1038/nmicrobiol.2016.269"


def test_what_is_no_doi() -> None:
    with pytest.raises(ValueError, match="is no DOI"):
        doi("11.1038/x")
