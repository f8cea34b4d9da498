"""Locks name every file by its hash, and no index; licences are read, and copyleft comes first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import licences, pythons
from tools.source_tree import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCKS = {"demo": ["demo"], "test": ["demo", "dicom", "dev"], "training": ["training", "export", "dicom", "dev"]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock):
    """The lock's requirements, each with its hashes."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        head, *hashes = line.split("--hash=")
        yield Requirement(head.strip()), [one.strip() for one in hashes]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_each_package_by_version_and_hashes(lock):
    for wanted, hashes in entries(lock):
        assert re.fullmatch(r"==[^*]+", str(wanted.specifier)), wanted
        assert hashes, wanted
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", one) for one in hashes), wanted


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_host(lock):
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    assert not re.search(r"://|^-|@ |index-url|find-links", text, re.M)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_pyproject_asks_for_and_the_build_tools(lock):
    extras = PROJECT["project"]["optional-dependencies"]
    asked = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    asked += [line for extra in LOCKS[lock] for line in extras[extra]]
    pinned = {}
    for wanted, _ in entries(lock):
        pinned.setdefault(licences.canonical(wanted.name), []).append(next(iter(wanted.specifier)).version)
    for text in asked:
        wanted = Requirement(text)
        versions = pinned.get(licences.canonical(wanted.name), [])
        assert versions, f"{text} is not in locks/{lock}.txt: make lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{text}: make lock"


def test_the_build_tools_of_the_locks_are_those_of_pyproject():
    lines = (ROOT / "locks" / "build.in").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == PROJECT["build-system"]["requires"]


@pytest.mark.parametrize(
    ("licence", "copyleft"),
    [
        ("MPL-2.0", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("AGPL-3.0-or-later", True),
        ("EPL-2.0 OR BSD-3-Clause", False),
        ("MPL-2.0 AND MIT", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", False),
        ("Apache Software License", False),
        ("not told", False),
    ],
)
def test_copyleft_is_seen_and_a_choice_is_one(licence, copyleft):
    assert licences.is_copyleft(licence) == copyleft


def test_licences_are_listed_with_what_the_base_install_needs(capsys):
    assert licences.main() == 0
    header, *lines = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert header.split() == ["mark", "package", "its", "licence"]
    assert header.index("package") == lines[0].index(lines[0][14:].split()[0])
    listed = {line[14:].split()[0]: line for line in lines}
    assert listed["opencv-python-headless"].startswith("brings   base")  # FFmpeg's, which its own metadata does not say
    assert "Apache" in listed["opencv-python-headless"]
    assert listed["hypothesis"].startswith("copyleft      ")
    assert "Affero" not in listed["opencv-python-headless"] + listed["numpy"], "MPL 2.0 and GPL 3 only mention it"
    assert "Lesser" in listed["opencv-python-headless"]
    assert [line[:9] for line in lines] == sorted(
        [line[:9] for line in lines], key=["copyleft ", "unknown  ", "brings   ", " " * 9].index
    )


def test_what_marks_and_base_mean_is_said(capsys):
    assert licences.main() == 0
    legend = capsys.readouterr().out.partition("\n\n")[2]
    assert all(f"{word}: " in legend for word in ("copyleft", "unknown", "brings", "base"))


class PackageOfOneFile:
    """A distribution with one licence file."""

    def __init__(self, path):
        self.files = [
            type("File", (), {"suffix": "", "read_binary": path.read_bytes, "__str__": lambda _: "LICENSE"})()
        ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            'Mozilla Public License\n1.12. "Secondary License"\n'
            "    means either the GNU General Public License,\n"
            "Version 2.0, the GNU Affero General Public License, Version 3.0, or any later versions\n"
            "of those licenses.\n",
            ("Mozilla Public License",),
        ),
        (
            "GNU GENERAL PUBLIC LICENSE\n  13. Use with the GNU Affero General Public License.\nlink it with the GNU\n"
            "Affero General Public License.\n  14. Revised Versions of this License.\n",
            ("GNU General Public License",),
        ),
        (
            "GNU LESSER GENERAL PUBLIC LICENSE\nthe ordinary GNU General\nPublic License",
            ("GNU Lesser General Public License",),
        ),
        ("previously distributed under the GNU General Public License (GPL)", ()),
        ("under the GNU Affero General Public License", ("GNU Affero General Public License",)),
    ],
    ids=["mpl", "gpl", "lgpl", "python", "agpl"],
)
def test_a_licence_that_another_one_only_mentions_does_not_count(tmp_path, text, named):
    (tmp_path / "LICENSE").write_text(text)
    assert licences.named_in_files(PackageOfOneFile(tmp_path / "LICENSE")) == named


def fake_python(folder, name, version, code=0):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{version}'\nexit {code}\n")
    path.chmod(0o755)


def test_the_pythons_of_a_machine_are_found_oldest_first(tmp_path, monkeypatch, capsys):
    fake_python(tmp_path, "python3.13", "3 13")
    fake_python(tmp_path, "python3.11", "", code=1)  # has no venv
    fake_python(tmp_path, "python3.10", "3 10")
    fake_python(tmp_path, "python3", "3 12")
    fake_python(tmp_path, "python3.9", "3 9")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(
        pythons.shutil, "which", lambda name: str(tmp_path / name) if (tmp_path / name).exists() else None
    )
    assert pythons.interpreters() == {(3, 10): "python3.10", (3, 12): "python3", (3, 13): "python3.13"}
    pythons.main(["--ends"])
    assert capsys.readouterr().out.split() == ["python3.10", "python3.13"]
    monkeypatch.setattr(pythons.sys, "version_info", (3, 10, 1))
    pythons.main(["--others"])
    assert capsys.readouterr().out.split() == ["python3.13"]


def test_pythons_that_pyenv_has_installed_are_found_though_not_on_path(tmp_path, monkeypatch):
    for version in ("3.9.18", "3.11.7", "3.13.0"):
        folder = tmp_path / "pyenv" / "versions" / version / "bin"
        folder.mkdir(parents=True)
        name = "python" + version.rpartition(".")[0]
        fake_python(folder, name, version.replace(".", " ").rpartition(" ")[0])
        fake_python(folder, f"{name}-config", "3 13")
    on_path = tmp_path / "bin"
    on_path.mkdir()
    fake_python(on_path, "python3.11", "3 11")
    fake_python(on_path, "python3.13", "", code=127)  # pyenv's own command for a version that is not switched on
    monkeypatch.setenv("PATH", f"{on_path}{os.pathsep}/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    found = pythons.interpreters()
    assert found[3, 11] == "python3.11"
    assert found[3, 13] == str(tmp_path / "pyenv" / "versions" / "3.13.0" / "bin" / "python3.13")
    assert (3, 9) not in found


def test_where_there_is_one_python_nothing_is_run_twice(monkeypatch, capsys):
    monkeypatch.setattr(pythons, "interpreters", lambda: {sys.version_info[:2]: "python3"})
    pythons.main(["--others"])
    assert capsys.readouterr().out.strip() == ""


def test_pythons_runs_without_the_project(tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", Path(pythons.__file__)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
