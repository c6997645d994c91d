"""The rows about sample, molecules and grid. Hardly any of it stands in a microscope's file."""

from eucentric.metadata.vocabulary.term import Giver, Term

_FORM: tuple[Giver, ...] = ("sample form",)
_SPECIMEN = "sample.specimen."
_MOLECULE = "sample.molecule[]."
_GRID = "sample.grid."
_OVERALL = "sample.overall_molecule."

SAMPLE_TERMS = (
    Term(
        "sample.name",
        by=("sample form", "file"),
        oscem=_OVERALL + "name_sample",
        emdb="sample/name",
        mmcif="_em_entity_assembly.name",
        velox="Sample/SampleId",
        ispyb="BLSample.name",
        icat="Sample_name",
        nxem="/entry/sampleID/name",
    ),
    Term("sample.description", by=_FORM, oscem="sample.description", velox="Sample/SampleDescription"),
    Term(
        "sample.source",
        by=_FORM,
        oscem=_OVERALL + "source",
        emdb="sample/supramolecule_list/*/natural_source",
        mmcif="_em_entity_assembly.source",
    ),
    Term(
        "sample.molecular_overall_type",
        by=_FORM,
        oscem=_OVERALL + "molecular_overall_type",
        mmcif="_em_entity_assembly.type",
    ),
    Term(
        "sample.assembly",
        by=_FORM,
        oscem=_OVERALL + "assembly",
        emdb="structure_determination/aggregation_state",
        mmcif="_em_experiment.aggregation_state",
    ),
    Term(
        "sample.molecular_weight",
        by=_FORM,
        oscem=_OVERALL + "molecular_weight",
        emdb="sample/supramolecule_list/*/molecular_weight",
        mmcif="_em_entity_assembly_molwt.value",
    ),
    Term("sample.elements", by=_FORM, nxem="sampleID/atom_types"),
    Term("sample.preparation_date", by=_FORM, nxem="sampleID/preparation_date"),
    Term(
        "sample.organism",
        by=_FORM,
        oscem="sample.specimen_env.organism",
        emdb="sample/supramolecule_list/*/natural_source/organism",
        mmcif="_em_entity_assembly_naturalsource.organism",
    ),
    Term(
        "sample.concentration",
        by=_FORM,
        oscem=_SPECIMEN + "concentration",
        emdb="specimen_preparation/concentration",
        mmcif="_em_specimen.concentration",
    ),
    Term(
        "sample.buffer",
        by=_FORM,
        oscem=_SPECIMEN + "buffer",
        emdb="specimen_preparation/buffer/details",
        mmcif="_em_buffer.details",
    ),
    Term(
        "sample.ph",
        by=_FORM,
        oscem=_SPECIMEN + "ph",
        emdb="specimen_preparation/buffer/ph",
        mmcif="_em_buffer.pH",
    ),
    Term(
        "sample.vitrification",
        by=_FORM,
        oscem=_SPECIMEN + "vitrification",
        emdb="specimen_preparation/vitrification",
        mmcif="_em_specimen.vitrification_applied",
    ),
    Term(
        "sample.vitrification_cryogen",
        by=_FORM,
        oscem=_SPECIMEN + "vitrification_cryogen",
        emdb="specimen_preparation/vitrification/cryogen_name",
        mmcif="_em_vitrification.cryogen_name",
    ),
    Term(
        "sample.vitrification_instrument",
        by=_FORM,
        emdb="specimen_preparation/vitrification/instrument",
        mmcif="_em_vitrification.instrument",
    ),
    Term(
        "sample.humidity",
        by=_FORM,
        oscem=_SPECIMEN + "humidity",
        emdb="specimen_preparation/vitrification/chamber_humidity",
        mmcif="_em_vitrification.humidity",
    ),
    Term(
        "sample.temperature",
        by=_FORM,
        oscem=_SPECIMEN + "temperature",
        emdb="specimen_preparation/vitrification/chamber_temperature",
        mmcif="_em_vitrification.chamber_temperature",
    ),
    Term(
        "sample.staining",
        by=_FORM,
        oscem=_SPECIMEN + "staining",
        emdb="specimen_preparation/staining",
        mmcif="_em_specimen.staining_applied",
    ),
    Term(
        "sample.embedding",
        by=_FORM,
        oscem=_SPECIMEN + "embedding",
        emdb="specimen_preparation/sugar_embedding",
        mmcif="_em_specimen.embedding_applied",
    ),
    Term(
        "sample.shadowing",
        by=_FORM,
        oscem=_SPECIMEN + "shadowing",
        emdb="specimen_preparation/shadowing",
        mmcif="_em_specimen.shadowing_applied",
    ),
)

MOLECULE_TERMS = (
    Term(
        "molecule.name_mol",
        by=_FORM,
        oscem=_MOLECULE + "name_mol",
        emdb="sample/macromolecule_list/*/name",
        mmcif="_entity.pdbx_description",
    ),
    Term(
        "molecule.sequence",
        by=_FORM,
        oscem=_MOLECULE + "sequence",
        emdb="sample/macromolecule_list/*/sequence/string",
        mmcif="_entity_poly.pdbx_seq_one_letter_code",
    ),
    Term(
        "molecule.natural_source",
        by=_FORM,
        oscem=_MOLECULE + "natural_source",
        emdb="sample/macromolecule_list/*/natural_source/organism",
        mmcif="_entity_src_nat.pdbx_organism_scientific",
    ),
    Term(
        "molecule.taxonomy_id_source",
        by=_FORM,
        oscem=_MOLECULE + "taxonomy_id_source",
        emdb="sample/macromolecule_list/*/natural_source/organism@ncbi",
        mmcif="_entity_src_nat.pdbx_ncbi_taxonomy_id",
    ),
    Term(
        "molecule.expression_system",
        by=_FORM,
        oscem=_MOLECULE + "expression_system",
        emdb="sample/macromolecule_list/*/recombinant_expression/recombinant_organism",
        mmcif="_entity_src_gen.pdbx_host_org_scientific_name",
    ),
    Term(
        "molecule.taxonomy_id_expression",
        by=_FORM,
        oscem=_MOLECULE + "taxonomy_id_expression",
        emdb="sample/macromolecule_list/*/recombinant_expression/recombinant_organism@ncbi",
        mmcif="_entity_src_gen.pdbx_host_org_ncbi_taxonomy_id",
    ),
    Term("molecule.gene_name", by=_FORM, oscem=_MOLECULE + "gene_name"),
    Term(
        "molecule.molecular_type",
        by=_FORM,
        oscem=_MOLECULE + "molecular_type",
        mmcif="_entity_poly.type",
    ),
    Term("molecule.molecular_class", by=_FORM, oscem=_MOLECULE + "molecular_class"),
)

_PREPARATION = "specimen_preparation/grid/"
_PRETREATMENT = _PREPARATION + "pretreatment/"

GRID_TERMS = (
    Term(
        "grid.name",
        by=("file", "operator"),
        epu="EpuSession.dm AutoloaderDescription; Sample.dm Name",
        ispyb="BLSample.name",
        icat="EM_grid_name",
        nxem="/entry/sampleID/identifier_sample",
    ),
    Term("grid.slot", epu="EpuSession.dm AutoloaderSlot; Sample.dm SlotId", ispyb="BLSample.location"),
    Term("grid.geometry", epu="EpuSession.dm Samples/_items/SampleXml/GridType"),
    Term("grid.manufacturer", by=_FORM, oscem=_GRID + "manufacturer"),
    Term(
        "grid.model",
        by=_FORM,
        emdb=_PREPARATION + "model",
        mmcif="_em_sample_support.grid_type",
    ),
    Term(
        "grid.material",
        by=_FORM,
        oscem=_GRID + "material",
        emdb=_PREPARATION + "material",
        mmcif="_em_sample_support.grid_material",
    ),
    Term(
        "grid.mesh",
        by=_FORM,
        oscem=_GRID + "mesh",
        emdb=_PREPARATION + "mesh",
        mmcif="_em_sample_support.grid_mesh_size",
    ),
    Term("grid.film_support", by=_FORM, oscem=_GRID + "film_support"),
    Term(
        "grid.film_material",
        by=_FORM,
        oscem=_GRID + "film_material",
        emdb=_PREPARATION + "support_film/film_material",
        mmcif="_em_support_film.material",
    ),
    Term(
        "grid.film_topology",
        by=_FORM,
        oscem=_GRID + "film_topology",
        emdb=_PREPARATION + "support_film/film_topology",
        mmcif="_em_support_film.topology",
    ),
    Term(
        "grid.film_thickness",
        by=_FORM,
        oscem=_GRID + "film_thickness",
        emdb=_PREPARATION + "support_film/film_thickness",
        mmcif="_em_support_film.thickness",
    ),
    Term(
        "grid.pretreatment_type",
        by=_FORM,
        oscem=_GRID + "pretreatment_type",
        emdb=_PRETREATMENT + "type",
        mmcif="_em_grid_pretreatment.type",
    ),
    Term(
        "grid.pretreatment_time",
        by=_FORM,
        oscem=_GRID + "pretreatment_time",
        emdb=_PRETREATMENT + "time",
        mmcif="_em_grid_pretreatment.time",
    ),
    Term(
        "grid.pretreatment_pressure",
        by=_FORM,
        oscem=_GRID + "pretreatment_pressure",
        emdb=_PRETREATMENT + "pressure",
        mmcif="_em_grid_pretreatment.pressure",
    ),
    Term(
        "grid.pretreatment_atmosphere",
        by=_FORM,
        oscem=_GRID + "pretreatment_atmosphere",
        emdb=_PRETREATMENT + "atmosphere",
        mmcif="_em_grid_pretreatment.atmosphere",
    ),
)
