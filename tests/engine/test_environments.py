"""Environments of programs from PyPI: made where they are looked for, from wheels at hand."""

import zipfile
from pathlib import Path

import pytest

from eucentric.engine.programs import Environment, Program, ProgramFailed
from eucentric.engine.programs import environment as environments


def make_wheel(folder: Path, name: str, version: str, needs: str = "", script: str = "") -> str:
    """Write a wheel of one module; `script` is the name of a program that tells the version."""
    info = f"{name}-{version}.dist-info"
    file = folder / f"{name}-{version}-py3-none-any.whl"
    files = {
        f"{name}.py": f"def main():\n    print('this is {name} {version}')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script} = {name}:main\n"
    with zipfile.ZipFile(file, "w") as wheel:
        for inner, text in files.items():
            wheel.writestr(inner, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{inner},,\n" for inner in [*files, f"{info}/RECORD"]))
    return str(file)


def test_an_environment_is_made_and_its_program_found(tmp_path: Path, capfd, monkeypatch) -> None:
    """What the program asks for and does not need is not installed: `absent` is nowhere to be had."""
    program_wheel = make_wheel(tmp_path, "picker", "1.4", "Requires-Dist: absent\n", script="pick")
    helper = make_wheel(tmp_path, "helper", "2.0")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    environment = Environment("picker", alone=(program_wheel,), requirements=(helper,))
    assert environment.home == tmp_path / "prefix" / "share" / "eucentric" / "picker"
    pick = Program("picker", "pick", ">=1,<2", "Install it.", version_args=(), home=environment.home / "bin")
    with pytest.raises(ProgramFailed, match=r"pick was not found in .*picker.bin or PATH\. Install it"):
        pick.find(None)
    finished: list[Path] = []
    environments.main(environment, pick, finished.append, ["install"])
    said = capfd.readouterr().out
    assert f"Making the virtual environment {environment.home}" in said
    assert f"{program_wheel} is ready (1.4)." in said
    assert "[programs]" not in said  # it is found without
    assert finished == [environment.home / "bin"]
    assert pick.find(None) == (str(environment.home / "bin" / "pick"),)
    assert list(environment.home.glob("lib/python*/site-packages/helper.py"))

    # A newer one into the same folder, which is now named.
    newer = make_wheel(tmp_path, "picker", "1.5", script="pick")
    again = Environment("other", alone=(newer,), requirements=(helper,))
    environments.main(again, pick, arguments=["install", str(environment.home)])
    said = capfd.readouterr().out
    assert "is ready (1.5)" in said
    assert f'[programs]\nother = "{environment.home / "bin"}"\n' in said

    broken = Environment("picker", alone=(str(tmp_path / "no.whl"),), requirements=(helper,))
    with pytest.raises(SystemExit, match=r"environment of picker could not be made.*exit code 1"):
        environments.main(broken, pick, arguments=["install"])


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.mrc").touch()
    with pytest.raises(ProgramFailed, match="is not empty and no virtual environment"):
        Environment("picker", (), ()).install(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["data.mrc"]
