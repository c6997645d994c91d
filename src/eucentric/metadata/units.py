"""Numbers that carry their unit in their type.

One declaration, `defocus_u: Angstrom`, gives the unit to the form, the plot's axis, the catalogue's
parameter and the documentation: the unit travels in the JSON Schema under the key `unit`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Unit:
    """The unit of a number, as a symbol that people read (`Å`, `e⁻/Å²`)."""

    symbol: str

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the unit to the field's JSON Schema."""
        schema = handler(core_schema)
        schema["unit"] = self.symbol
        return schema


Angstrom = Annotated[float, Unit("Å")]
AngstromPerPixel = Annotated[float, Unit("Å/px")]
SquareAngstrom = Annotated[float, Unit("Å²")]
Degree = Annotated[float, Unit("°")]
ElectronPerSquareAngstrom = Annotated[float, Unit("e⁻/Å²")]
ElectronPerPixelSecond = Annotated[float, Unit("e⁻/px/s")]
ElectronVolt = Annotated[float, Unit("eV")]
Kelvin = Annotated[float, Unit("K")]
Kilodalton = Annotated[float, Unit("kDa")]
Kilovolt = Annotated[float, Unit("kV")]
Micrometre = Annotated[float, Unit("µm")]
MilligramPerMillilitre = Annotated[float, Unit("mg/mL")]
Millimetre = Annotated[float, Unit("mm")]
Milliradian = Annotated[float, Unit("mrad")]
Nanoampere = Annotated[float, Unit("nA")]
Pascal = Annotated[float, Unit("Pa")]
PerSecond = Annotated[float, Unit("1/s")]
Percent = Annotated[float, Unit("%")]
Pixel = Annotated[float, Unit("px")]
Second = Annotated[float, Unit("s")]


_QUDT = "http://qudt.org/vocab/unit/"

QUDT: dict[str, str] = {
    symbol: f"{_QUDT}{name}"
    for symbol, name in (
        ("Å", "ANGSTROM"),
        ("°", "DEG"),
        ("eV", "EV"),
        ("K", "K"),
        ("kV", "KiloV"),
        ("µm", "MicroM"),
        ("mg/mL", "MilliGM-PER-MilliL"),
        ("mm", "MilliM"),
        ("mrad", "MilliRAD"),
        ("Pa", "PA"),
        ("1/s", "PER-SEC"),
        ("%", "PERCENT"),
        ("s", "SEC"),
    )
}
"""What identifies units in QUDT, the ontology of quantities and units, by symbol."""


def unit_of(field: FieldInfo) -> str | None:
    """Return the unit symbol of a model's field, or None where it has none.

    Looks inside optional types (`Angstrom | None`) as well.
    """
    found = [extra for extra in field.metadata if isinstance(extra, Unit)]
    return found[0].symbol if found else _unit_of_type(field.annotation)


def _unit_of_type(annotation: Any) -> str | None:
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, Unit):
            return extra.symbol
    for argument in getattr(annotation, "__args__", ()):
        if (symbol := _unit_of_type(argument)) is not None:
            return symbol
    return None


def units_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the unit symbols of all fields of `model` that have one, by field name."""
    found = {name: unit_of(field) for name, field in model.model_fields.items()}
    return {name: symbol for name, symbol in found.items() if symbol is not None}
