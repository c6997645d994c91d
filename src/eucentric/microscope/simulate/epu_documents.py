"""The XML that EPU writes: of one image, and of a session.

The elements, their namespaces, units and order are those of EPU 3's data contract; everything that is no
fact of the simulated exposure is what an idle microscope would say. Lengths are metres (underfocus is
negative), angles radians, doses electrons per square metre, the voltage volts.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from xml.sax.saxutils import escape

_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
_CONTRACT = "http://schemas.datacontract.org/2004/07"
_FRACTIONATION = f"{_CONTRACT}/Fei.Applications.Common.Omp.Interface"
_UNIT = (
    f'<unit xmlns:a="{_CONTRACT}/Fei.Common.Types">'
    "<a:_x003C_PrefixExponent_x003E_k__BackingField>1</a:_x003C_PrefixExponent_x003E_k__BackingField>"
    "<a:_x003C_Symbol_x003E_k__BackingField>m</a:_x003C_Symbol_x003E_k__BackingField></unit>"
)

Value = bool | int | float | str


class EpuImage(NamedTuple):
    """What EPU says of an image, in its own units.

    Attributes:
        identity: The image's identity.
        recorded: When it was recorded, with the time zone.
        voltage: V.
        magnification: Nominal.
        pixel_size: m per pixel of the image as read out, which may be binned.
        height: Rows of the image as read out.
        width: Columns of it.
        binning: Camera pixels in each of its pixels, along one axis.
        super_resolution: The camera's factor of super-resolution.
        fractions: Frames of the movie; "EER" where it has all the camera's; None without a movie.
        exposure_time: s.
        camera: EPU's name for the camera's place, "EF-Falcon" or "EF-CCD".
        detector: Commercial name.
        dose: e⁻/m².
        defocus: Intended defocus in m, negative for underfocus.
        stage: Stage position (x, y) in m.
        extra: More custom data by key.
    """

    identity: UUID
    recorded: datetime
    voltage: float
    magnification: int
    pixel_size: float
    height: int
    width: int
    binning: int
    super_resolution: int
    fractions: int | str | None
    exposure_time: float
    camera: str
    detector: str
    dose: float
    defocus: float
    stage: tuple[float, float]
    extra: dict[str, Value]


def image_xml(image: EpuImage) -> str:
    """Write the XML of one image, in one line as EPU does."""
    custom = {
        "DoseOnCamera": image.dose * image.pixel_size**2,
        "StemMagnification": False,
        "Aperture[C1].Name": "2000",
        "Aperture[C2].Name": "50",
        "Aperture[C3].Name": "None",
        "Aperture[OBJ].Name": "100",
        "Aperture[SA].Name": "None",
        f"Detectors[{image.camera}].CommercialName": image.detector,
        f"Detectors[{image.camera}].ElectronCounted": True,
        "IlluminationIntensity": 0.0,
        **image.extra,
        "Dose": image.dose,
        "PhasePlateUsed": False,
        "BinaryResult.Detector": image.camera,
        "DetectorCommercialName": image.detector,
        "AppliedDefocus": image.defocus,
    }
    return (
        f'<MicroscopeImage xmlns="{_CONTRACT}/Fei.SharedObjects" '
        'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><name>Empty</name>'
        f"<uniqueID>{image.identity}</uniqueID>"
        f'<CustomData xmlns:a="{_ARRAYS}">{_entries(_typed(custom))}</CustomData>'
        f'<IntensityScale i:nil="true"/>{_scale(image.pixel_size)}'
        f"<microscopeData>{_acquisition(image)}<core><ApplicationSoftware>EPU</ApplicationSoftware>"
        "<ApplicationSoftwareVersion>3.4.0.5704</ApplicationSoftwareVersion>"
        f"<Guid>{image.identity}</Guid></core>"
        f"<gun><AccelerationVoltage>{_number(image.voltage)}</AccelerationVoltage>"
        "<ExtractorVoltage>4250</ExtractorVoltage>"
        '<Filament i:nil="true"/><GunLens>4</GunLens><Sourcetype>FieldEmission</Sourcetype>'
        '<WehneltBias i:nil="true"/></gun>'
        '<instrument><AcquisitionSoftware i:nil="true"/><AcquisitionSoftwareVersion i:nil="true"/>'
        "<ComputerName>EUCENTRIC</ComputerName><InstrumentID>1</InstrumentID>"
        "<InstrumentModel>EUCENTRIC1</InstrumentModel></instrument>"
        f"{_optics(image)}"
        '<sample><Description i:nil="true"/><ID i:nil="true"/></sample>'
        "<stage><Holder>Unspecified</Holder><Position><A>0</A><B>0</B>"
        f"<X>{_number(image.stage[0])}</X><Y>{_number(image.stage[1])}</Y><Z>0</Z></Position>"
        "<SampleLoader>None</SampleLoader></stage>"
        "<vacuum><ProjectionChamberPressure>0</ProjectionChamberPressure><SamplePressure>0</SamplePressure>"
        "<VacuumMode>Ready</VacuumMode></vacuum></microscopeData></MicroscopeImage>"
    )


def session_xml(name: str, output: str, folder: str, defocus: list[float], began: datetime) -> str:
    """Write `EpuSession.dm`.

    Args:
        name: Name of the session, that of its folder.
        output: How fractions are written, in EPU's words.
        folder: Where the session's folder lies, as the acquisition computer knows it.
        defocus: The intended defoci in m, negative for underfocus.
        began: When the session began, with the time zone.
    """
    types = f"{_CONTRACT}/Fei.Applications.Common.Types"
    listed = "".join(f"<a:double>{_number(each)}</a:double>" for each in defocus)
    return (
        '<EpuSessionXml z:Id="1" z:Type="Applications.Epu.Persistence.EpuSessionXml" '
        'z:Assembly="Applications.Epu.Persistence, Version=3.4.0.5704, Culture=neutral, PublicKeyToken=null" '
        f'xmlns="{_CONTRACT}/Applications.Epu.Persistence" '
        'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
        'xmlns:z="http://schemas.microsoft.com/2003/10/Serialization/">'
        f'<Id xmlns="{types}">1</Id><AutoloaderDescription z:Id="2">{escape(name)}</AutoloaderDescription>'
        "<AutoloaderSlot>1</AutoloaderSlot><ClusteringMode>NoClustering</ClusteringMode>"
        f'<DoseFractionsOutputFormat z:Id="5">{escape(output)}</DoseFractionsOutputFormat>'
        '<ImageFileFormat>Mrc</ImageFileFormat><MicroscopeName i:nil="true"/>'
        f'<Name z:Id="6">{escape(name)}</Name><PhasePlateEnabled>false</PhasePlateEnabled>'
        f'<Samples z:Id="7"><_items z:Id="8" z:Size="1"><SampleXml z:Id="9"><Id xmlns="{types}">2</Id>'
        f"<GridType>HoleyCarbon</GridType><StartDateTime>{began.isoformat()}</StartDateTime>"
        f'<TargetAreaTemplate z:Id="10"><Id xmlns="{types}">4</Id>'
        f'<DataAcquisitionAreas z:Id="11" xmlns:a="{_ARRAYS}"><a:m_serializationArray z:Id="12" z:Size="1" '
        f'xmlns:b="{_CONTRACT}/System.Collections.Generic">'
        "<b:KeyValuePairOfintDataAcquisitionAreaXmlBpEWF4JT><b:key>5</b:key>"
        f'<b:value z:Id="13"><Id xmlns="{types}">5</Id><ImageAcquisitionSettingXml z:Id="14">'
        f'<Defocus z:Id="15" z:Type="System.Double[]" z:Assembly="0" z:Size="{len(defocus)}">'
        f"{listed}</Defocus>"
        "</ImageAcquisitionSettingXml></b:value></b:KeyValuePairOfintDataAcquisitionAreaXmlBpEWF4JT>"
        "</a:m_serializationArray></DataAcquisitionAreas></TargetAreaTemplate>"
        "</SampleXml></_items><_size>1</_size></Samples>"
        f"<StartDateTime>{began.isoformat()}</StartDateTime>"
        f'<StorageFolders z:Id="16"><_items z:Id="17" z:Size="1"><StorageFolderXml z:Id="18">'
        f'<Id xmlns="{types}">3</Id><DiscId>1</DiscId><Path z:Id="19">{escape(folder)}</Path>'
        '<SessionName z:Ref="6" i:nil="true"/></StorageFolderXml></_items></StorageFolders>'
        "</EpuSessionXml>"
    )


def _scale(pixel_size: float) -> str:
    """Write the two elements that say how long a pixel is."""
    size = _number(pixel_size)
    matrix = f"<a:_m11>-{size}</a:_m11><a:_m12>0</a:_m12><a:_m21>0</a:_m21><a:_m22>{size}</a:_m22>"
    offset = "".join(f"<{axis}><numericValue>0</numericValue>{_UNIT}</{axis}>" for axis in "xy")
    pixel = "".join(f"<{axis}><numericValue>{size}</numericValue>{_UNIT}</{axis}>" for axis in "xy")
    return (
        f'<ReferenceTransformation><matrix xmlns:a="{_CONTRACT}/System.Windows.Media">{matrix}'
        "<a:_offsetX>0</a:_offsetX><a:_offsetY>0</a:_offsetY><a:_padding>0</a:_padding>"
        f"<a:_type>TRANSFORM_IS_UNKNOWN</a:_type></matrix>{_UNIT}</ReferenceTransformation>"
        f"<SpatialScale><offset>{offset}</offset><pixelSize>{pixel}</pixelSize></SpatialScale>"
    )


def _acquisition(image: EpuImage) -> str:
    drawing = f'xmlns:a="{_CONTRACT}/System.Drawing"'
    before = _typed({"AlignIntegratedImageEnabled": False, "SuperResolutionFactor": image.super_resolution})
    after = _typed(
        {
            "ElectronCountingEnabled": True,
            "ApplyDefinedShutter": True,
            "CetaFramesSummed": 1,
            "CetaNoiseReductionEnabled": False,
            "FixedReadoutArea": "Full",
        }
    )
    return (
        f"<acquisition><acquisitionDateTime>{image.recorded.isoformat()}</acquisitionDateTime>"
        f"<analyticalDetectors/><camera><Binning {drawing}><a:x>{image.binning}</a:x>"
        f"<a:y>{image.binning}</a:y></Binning><CameraLocation>EnergyFilter</CameraLocation>"
        f'<CameraSpecificInput xmlns:a="{_ARRAYS}">{_entries(before)}{_fractionation(image.fractions)}'
        f"{_entries(after)}</CameraSpecificInput><DarkGainCorrection>None</DarkGainCorrection>"
        f"<ExposureTime>{_number(image.exposure_time)}</ExposureTime><Inserted>true</Inserted>"
        f"<Name>{image.camera}</Name><PreExposurePauseTime>0</PreExposurePauseTime>"
        "<PreExposureSupported>false</PreExposureSupported><PreExposureTime>0</PreExposureTime>"
        f"<ReadoutArea {drawing}><a:height>{image.height}</a:height><a:width>{image.width}</a:width>"
        "<a:x>0</a:x><a:y>0</a:y></ReadoutArea><Shutter>PreSpecimen</Shutter></camera></acquisition>"
    )


def _fractionation(fractions: int | str | None) -> str:
    if fractions is None:
        value = '<a:Value i:nil="true"/>'
    elif fractions == "EER":
        value = f'<a:Value i:type="b:EerFractionation" xmlns:b="{_FRACTIONATION}"/>'
    else:
        value = (
            f'<a:Value i:type="b:EquidistantFractionation" xmlns:b="{_FRACTIONATION}">'
            f"<b:NumberOffractions>{fractions}</b:NumberOffractions></a:Value>"
        )
    return (
        f"<a:KeyValueOfstringanyType><a:Key>FractionationSettings</a:Key>{value}</a:KeyValueOfstringanyType>"
    )


def _optics(image: EpuImage) -> str:
    def pair(name: str) -> str:
        return f'<{name} xmlns:a="{_CONTRACT}/Fei.Types"><a:_x>0</a:_x><a:_y>0</a:_y></{name}>'

    reading = _number(image.defocus - 1.4e-6)  # of the lens: not the defocus that was asked for
    return (
        '<optics><Apertures i:nil="true"/><BeamConvergence i:nil="true"/>'
        f"<BeamDiameter>5E-07</BeamDiameter>{pair('BeamShift')}{pair('BeamTilt')}<Cameralength>0</Cameralength>"
        "<ColumnOperatingMode>TEM</ColumnOperatingMode>"
        "<ColumnOperatingTemSubMode>BrightField</ColumnOperatingTemSubMode>"
        f"{pair('CondenserStigmator')}<Defocus>{reading}</Defocus><DiffractionFocus>0</DiffractionFocus>"
        f"{pair('DiffractionShift')}{pair('DiffractionStigmator')}<EFTEMOn>true</EFTEMOn><EnergyFilter>"
        "<EnergySelectionSlitInserted>true</EnergySelectionSlitInserted>"
        "<EnergySelectionSlitWidth>10</EnergySelectionSlitWidth></EnergyFilter><Focus>0</Focus>"
        f"<IlluminationMode>Parallel</IlluminationMode>{pair('ImageShift')}<Intensity>0</Intensity>"
        f"<ObjectiveLensMode>HM</ObjectiveLensMode>{pair('ObjectiveStigmator')}<ProbeMode>NanoProbe</ProbeMode>"
        "<ProjectorMode>Imaging</ProjectorMode><SpotIndex>5</SpotIndex><StemDefocus>0</StemDefocus>"
        f"<TemMagnification><NominalMagnification>{image.magnification}</NominalMagnification>"
        "</TemMagnification></optics>"
    )


def _typed(values: dict[str, Value]) -> Iterable[tuple[str, str, str]]:
    """Yield (key, XML type, text) of each value."""
    for key, value in values.items():
        if isinstance(value, bool):
            yield key, "boolean", str(value).lower()
        elif isinstance(value, str):
            yield key, "string", value
        else:
            yield key, "int" if isinstance(value, int) else "double", _number(value)


def _entries(values: Iterable[tuple[str, str, str]]) -> str:
    return "".join(
        f"<a:KeyValueOfstringanyType><a:Key>{escape(key)}</a:Key>"
        f'<a:Value i:type="b:{kind}" xmlns:b="{_SCHEMA}">{escape(text)}</a:Value></a:KeyValueOfstringanyType>'
        for key, kind, text in values
    )


def _number(value: float) -> str:
    """Write a number as .NET does: exponents in capitals, no point where none is needed."""
    return repr(float(value)).removesuffix(".0").upper()
