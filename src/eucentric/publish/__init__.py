"""What leaves the house: a session's metadata in the forms that repositories take."""

from eucentric.publish.datacite import datacite_json, datacite_xml
from eucentric.publish.description import Description, DescriptionWrong, Person, read_description
from eucentric.publish.document import Document
from eucentric.publish.emdb import emdb
from eucentric.publish.empiar import ImageSet, empiar
from eucentric.publish.map_file import MapFacts, read_map_facts
from eucentric.publish.mmcif import mmcif
from eucentric.publish.nxem import nxem
from eucentric.publish.oscem import oscem, schema_of
from eucentric.publish.zenodo import zenodo

__all__ = [
    "Description",
    "DescriptionWrong",
    "Document",
    "ImageSet",
    "MapFacts",
    "Person",
    "datacite_json",
    "datacite_xml",
    "emdb",
    "empiar",
    "mmcif",
    "nxem",
    "oscem",
    "read_description",
    "read_map_facts",
    "schema_of",
    "zenodo",
]
