"""Emulated arm64 Debian in a folder, with our wheel and its aarch64 dependencies; programs there run under qemu.

Nothing is registered with the kernel (binfmt_misc): `PYTHON` in the root is a script whose interpreter is qemu itself,
so that a Python there can start others by ``sys.executable``, as the daemon does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import zipfile
from typing import TYPE_CHECKING

from arm.cpus import write_cpu_files
from arm.wheels import PYTHON_VERSION, pip, run

from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from arm.cpus import ArmCpu

SUITE = "bookworm"
"""Debian 12: Raspberry Pi OS is made from it, and has its Python."""
OPTIONS = ("--foreign", "--arch=arm64", "--variant=minbase")
PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
EXTRA = "dicom"
"""Extra that is installed too: its decoders are to give the same pixels."""
QEMU = "qemu-aarch64-static"
PYTHON = "/usr/bin/python-arm64"
ENTER = """
cp "$1/proc/cpuinfo" "$1/.cpuinfo"
mount --rbind /proc "$1/proc"
mount --bind "$1/.cpuinfo" "$1/proc/cpuinfo"
exec chroot "$@"
"""
"""In a mount namespace of its own: the processes' files of /proc (a sealed file is opened by /proc/self/fd), and the
cpuinfo of the emulated core. Nothing of it is mounted for anybody else, or left mounted."""
SITE = f"usr/local/lib/python{PYTHON_VERSION}/dist-packages"


def cannot_run() -> DeviceError | None:
    """Why this machine cannot run an Arm root, as a one-line error; None if it can."""
    if platform.machine() == "aarch64":
        return DeviceError("this machine is arm64 itself: nothing has to be played", hint="run make test here")
    lacking = [tool for tool in ("debootstrap", "dpkg-deb", "unshare", QEMU) if _find(tool) is None]
    if lacking:
        package = {"dpkg-deb": "dpkg", "unshare": "util-linux", QEMU: "qemu-user-static"}
        packages = " ".join(package.get(tool, tool) for tool in lacking)
        return DeviceError(f"{', '.join(lacking)} not found", hint=f"apt install {packages}")
    if os.geteuid() != 0:
        return DeviceError("an arm64 root is entered by chroot, which needs root", hint="sudo make test-arm64")
    return None


class ArmRoot:
    """Root directory of an emulated arm64 Debian, built step by step in ``folder``.

    A step that was done is not done again, one that was interrupted is.
    """

    def __init__(self, folder: Path, say: Callable[[str], None] = print) -> None:
        self.folder = folder
        self.path = folder / SUITE
        """The root directory of the Arm system."""
        self._say = say

    @property
    def ready(self) -> bool:
        """Whether the root is built, with our wheel in it."""
        return (self.path / SITE / "edge").is_dir() and (self.folder / "installed").is_file()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Context manager: lock the root for one user. Raises `DeviceError` if another run uses it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DeviceError(f"{self.folder} is in use by another run", hint="wait until it has ended") from None
            yield

    def build(self, wheel: Path, constraints: Path, mirror: str | None = None) -> None:
        """Build the root: Debian, then ``wheel`` (a .whl of ours) and its dependencies as ``constraints`` fixes them.

        Args:
            wheel: built for any platform.
            constraints: as for pip.
            mirror: of Debian, with arm64; None: the one that this machine's apt uses.

        Raises:
            DeviceError: something is missing, or cannot be fetched.
        """
        missing = cannot_run()
        if missing is not None:
            raise missing
        if not self.path.is_dir():
            self._debian(mirror or _mirror_of_apt())
        self._python()
        wanted = _digest(constraints.read_bytes(), *_requirements(wheel))
        installed, have = self.folder / "installed", _digest(wheel.read_bytes())
        before = installed.read_text().split() if installed.is_file() else ["", ""]
        if before == [wanted, have]:
            return
        installed.unlink(missing_ok=True)  # until it is true again
        if before[0] != wanted:
            self._dependencies(wheel, constraints)
        else:
            self._pip("install", "--no-deps", "--no-index", "--upgrade", "--target", self.path / SITE, wheel)
        installed.write_text(f"{wanted} {have}")

    def _debian(self, mirror: str) -> None:
        """First stage and all packages unpacked. Their scripts are not run: nothing that we use needs them."""
        self._say("1/3 arm64 Debian: 110 packages, some minutes, once")
        part = self.folder / f"{SUITE}.part"  # kept when interrupted: what was fetched need not be fetched again
        run(
            [str(_find("debootstrap")), *OPTIONS, f"--include={','.join(PACKAGES)}", SUITE, str(part), mirror],
            "fetch Debian packages",
            log=self.folder / "debootstrap.log",
        )
        for package in sorted((part / "var/cache/apt/archives").glob("*.deb")):
            _unpack(package, part)
        part.rename(self.path)

    def _python(self) -> None:
        """Qemu, as this machine has it, and `PYTHON`."""
        shutil.copy2(str(_find(QEMU)), self.path / "usr/bin" / QEMU)
        scripts = {
            PYTHON: f'#!/usr/bin/{QEMU} /bin/sh\nexec /usr/bin/{QEMU} -0 "$0" /usr/bin/python{PYTHON_VERSION} "$@"\n',
            "/usr/local/bin/edge-cli": f"#!{PYTHON}\nimport sys\nfrom edge.cli.main import main\nsys.exit(main())\n",
        }
        for name, text in scripts.items():
            script = self.path / name.lstrip("/")
            script.parent.mkdir(parents=True, exist_ok=True)
            script.write_text(text)
            script.chmod(0o755)

    def _dependencies(self, wheel: Path, constraints: Path) -> None:
        """Fetch and install with this machine's pip: under qemu it would take minutes."""
        self._say("2/3 aarch64 wheels: 80 MB, once for each change of dependencies")
        site, part, wheels = self.path / SITE, self.folder / "site.part", self.folder / "wheels"
        for folder in (part, wheels):
            shutil.rmtree(folder, ignore_errors=True)
        self._pip("download", "--dest", wheels, "--constraint", constraints, f"{wheel}[{EXTRA}]")
        self._say("3/3 installing them")
        self._pip("install", "--no-index", "--find-links", wheels, "--target", part, f"{wheel}[{EXTRA}]")
        shutil.rmtree(site, ignore_errors=True)
        site.parent.mkdir(parents=True, exist_ok=True)
        part.rename(site)

    def _pip(self, command: str, *args: str | Path) -> None:
        pip(command, "aarch64", *args, log=self.folder / "pip.log")

    def run(
        self, cpu: ArmCpu, command: Sequence[str], *, folder: str = "", listed: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of ours (``edge-cli``, `PYTHON`) in the root, under qemu.

        Args:
            cpu: the processor that is emulated.
            command: program and arguments; paths are those within the root.
            folder: that it is run in, from the root on.
            listed: see `arm.cpus.write_cpu_files`.

        Returns:
            Exit code, stdout and stderr, as text.
        """
        write_cpu_files(self.path, cpu, listed=listed)
        environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "QEMU_CPU": cpu.name + cpu.without,
        }
        namespace = [str(_find("unshare")), "--mount", "--propagation", "private", "/bin/sh", "-e", "-c", ENTER, "sh"]
        given = [*namespace, str(self.path), f"/usr/bin/{QEMU}", "/usr/bin/env", "-C", f"/{folder}", *command]
        return subprocess.run(given, env=environ, text=True, capture_output=True, check=False)


def _find(tool: str) -> str | None:
    """Also where only root's PATH leads."""
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin")


def _mirror_of_apt() -> str:
    """Where this machine's apt has ``SUITE`` from. Raises `DeviceError` if it has not."""
    fields = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    told = subprocess.run(fields, text=True, capture_output=True, check=False).stdout if shutil.which("apt-get") else ""
    for line in told.splitlines():
        uri, _, release = line.partition(" ")
        if release == SUITE:
            return uri
    raise DeviceError(f"apt on this machine knows no Debian {SUITE}", hint="give --mirror URL of one with arm64")


def _unpack(package: Path, into: Path) -> None:
    """As dpkg does, and dpkg-deb -x does not: a link like /lib stays one. Raises `DeviceError`."""
    files = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    tar = subprocess.run(
        ["tar", "-x", "--keep-directory-symlink", "-C", str(into)], stdin=files.stdout, capture_output=True, check=False
    )
    if files.wait() or tar.returncode:
        raise DeviceError(f"{package.name} cannot be unpacked", hint=f"delete {into} and run it again")


def _requirements(wheel: Path) -> list[bytes]:
    """What the base install and `EXTRA` ask for, a line each."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(archive.read(name) for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return [line for line in metadata.splitlines() if _asks(line.decode())]


def _asks(line: str) -> bool:
    return line.startswith("Requires-Dist:") and (
        "extra ==" not in line or re.search(rf"extra == .{EXTRA}\b", line) is not None
    )


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
