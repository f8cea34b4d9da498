"""Hints of what to install are commands that work here: the package is on no index."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from edge.process import install
from edge.process.install import extra_argument, install_command, pip_install

TREE = Path(__file__).parents[2]


class Installed:
    """A distribution as importlib.metadata gives it."""

    def __init__(self, direct_url: str | None, requires: list[str] | None = None) -> None:
        self.direct_url, self.requires = direct_url, requires

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.direct_url


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Says what the package was installed from; its code lies where no checkout is."""

    def set_up(direct_url: str | None, requires: list[str] | None = None) -> None:
        monkeypatch.setattr(install, "distribution", lambda name: Installed(direct_url, requires))
        monkeypatch.setattr(install, "__file__", str(tmp_path / "site-packages" / "edge" / "process" / "install.py"))

    return set_up


def test_a_wheel_or_checkout_that_is_still_there_is_named(installed, tmp_path: Path) -> None:
    wheel = tmp_path / "my wheels" / "sonoedge-1-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    installed(f'{{"url": "file://{str(wheel).replace(" ", "%20")}", "archive_info": {{}}}}')
    assert shlex.split(install_command("dicom"))[-1] == f"{wheel}[dicom]"


@pytest.mark.parametrize("url", [None, "", "no json", "[]", "{}", '{"url": 3}', '{"url": "file:///nowhere/x.whl"}',
                                 '{"url": "https://example.org/x.whl"}', '{"url": "file://[/x"}'])  # fmt: skip
def test_else_the_libraries_are_named_which_are_on_the_index(installed, url: str | None) -> None:
    installed(url, ["numpy>=1", 'rich>=13.8; extra == "fleet"', 'a>=1; python_version < "3.12" and extra == "dicom"',
                    "b >=2.0 ; extra == 'dicom'"])  # fmt: skip
    assert shlex.split(install_command("dicom"))[-2:] == ["a>=1", "b>=2.0"]
    assert "sonoedge" not in extra_argument("dicom")


def test_the_package_itself_is_installed_anew_from_where_it_came(installed, tmp_path: Path) -> None:
    installed(None, ["numpy>=1", 'tomli; python_version < "3.11"', 'rich>=13.8; extra == "fleet"'])
    assert shlex.split(install.reinstall_command())[-2:] == ["numpy>=1", "tomli"]
    installed(f'{{"url": "file://{tmp_path}"}}')
    assert shlex.split(install.reinstall_command())[-2:] == ["--force-reinstall", str(tmp_path)]


def test_without_anything_installed_it_is_the_checkout_where_one_stands(monkeypatch, tmp_path: Path) -> None:
    def nothing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(install, "distribution", nothing)
    monkeypatch.setattr(install, "__file__", str(tmp_path / "lib" / "edge" / "process" / "install.py"))
    assert shlex.split(install_command("signed"))[-1] == ".[signed]"


def test_in_a_checkout_the_checkout_is_named(monkeypatch) -> None:
    monkeypatch.setattr(install, "__file__", str(TREE / "edge" / "process" / "install.py"))
    assert shlex.split(install_command("fleet"))[-1] == f"{TREE}[fleet]"


def test_it_is_the_pip_of_the_python_that_runs(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(install.shutil, "which", lambda name: str(Path(sys.executable).parent / "pip"))
    assert pip_install("a", "b>=2") == "pip install a 'b>=2'"
    monkeypatch.setattr(install.shutil, "which", lambda name: str(tmp_path / "pip"))
    assert shlex.split(pip_install("a")) == [sys.executable, "-m", "pip", "install", "a"]
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    assert shlex.split(pip_install("a")) == [sys.executable, "-m", "pip", "install", "a"]


@pytest.mark.parametrize("folder", ["edge", "docs", "firmware_configs", "README.md", "training", "export"])
def test_nowhere_is_the_package_to_be_had_by_its_name(folder: str) -> None:
    place = TREE / folder
    files = [place] if place.is_file() else [p for p in place.rglob("*") if p.suffix in (".py", ".md", ".toml")]
    if not files:
        pytest.skip(f"no {folder} here")
    for path in files:
        text = path.read_text("utf-8")
        assert "install sonoedge" not in text, path
        assert "sonoedge[" not in text, path
