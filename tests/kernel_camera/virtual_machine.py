"""Runs a command in a small virtual machine whose kernel has a video device: Debian's, with the vivid driver.

    python tests/kernel_camera/virtual_machine.py OUT -- COMMAND...

The machine has this file system, read-only, by virtio-9p, so that the same Python and the same tree run there; OUT is
its only writable place that remains. No KVM is needed: qemu computes each instruction, which takes one to three minutes
of processor time. Needs qemu-system-x86, busybox-static, kmod, cpio, v4l-utils and the right to call apt-get download.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("qemu-system-x86", "busybox-static", "kmod", "cpio")
TOOLS = ("qemu-system-x86_64", "busybox", "depmod", "cpio", "apt-get", "dpkg-deb")
ROOT_MODULES = ("9pnet_virtio", "virtio_pci", "9p")
TIMEOUT_S = 900
"""For a machine on which everything else runs too."""
INIT = """\
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
shared=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $shared,ro,cache=loose root /root
mount -t proc proc /root/proc; mount -t sysfs sys /root/sys; mount -t devtmpfs dev /root/dev
mount -t tmpfs shm /root/dev/shm -o mode=1777 2>/dev/null || { mkdir /root/dev/shm; mount -t tmpfs shm /root/dev/shm; }
mount -t tmpfs tmp /root/tmp; mount -t tmpfs run /root/run; mount -t tmpfs mnt /root/mnt
mount -t 9p -o $shared out /root/media
chroot /root /bin/sh /media/guest.sh
poweroff -f
"""
GUEST = """\
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/mnt TMPDIR=/mnt PYTHONDONTWRITEBYTECODE=1
export KERNEL_CAMERA_OUT=/media
ip link set lo up 2>/dev/null || /bin/busybox ifconfig lo up
export KERNEL_CAMERA_MODULES=/mnt/kernel
mkdir /mnt/kernel /mnt/kernel/lib; mkdir -p /mnt/kernel/lib/modules
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose kernel /mnt/kernel/lib/modules
modprobe -d $KERNEL_CAMERA_MODULES -S $(uname -r) vivid n_devs=1 num_inputs=4 input_types=0xe4
mkdir /mnt/here; mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,ro,cache=loose here /mnt/here
cd /mnt/here
{command}
echo $? > /media/status
"""


def missing_tools() -> list[str]:
    """Programs that are needed and not on PATH."""
    return [name for name in TOOLS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]


def fetch_kernel(folder: Path) -> tuple[Path, Path]:
    """Debian's kernel image and its modules below ``folder``, downloaded once; nothing is installed."""
    found = sorted(folder.glob("kernel/boot/vmlinuz-*"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        policy = _output("apt-cache", "depends", "--important", "linux-image-amd64")
        name = next(word for word in policy.split() if word.startswith("linux-image-") and word != "linux-image-amd64")
        subprocess.run(["apt-get", "download", name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (package,) = folder.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder / "kernel"], check=True)
        package.unlink()
        found = sorted(folder.glob("kernel/boot/vmlinuz-*"))
    version = found[0].name.removeprefix("vmlinuz-")
    modules = folder / "kernel/lib/modules"
    if not (modules / version / "modules.dep").exists():
        subprocess.run(["/sbin/depmod", "-b", folder / "kernel", version], check=True)
    return found[0], modules


def make_initramfs(path: Path, kernel: Path, modules: Path) -> None:
    """Write the first file system of the machine: busybox, and the modules that mount ours."""
    version = kernel.name.removeprefix("vmlinuz-")
    listed = [
        line.split()[1]
        for name in ROOT_MODULES
        for line in _output(
            "/sbin/modprobe", "-d", str(modules.parents[1]), "-S", version, "--show-depends", name
        ).splitlines()
        if line.startswith("insmod")
    ]
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        for name in ("bin", "proc", "sys", "dev", "root", "modules"):
            (top / name).mkdir()
        busybox = shutil.which("busybox")
        assert busybox is not None
        shutil.copy(busybox, top / "bin/busybox")
        for name in ("sh", "mount", "insmod", "mkdir", "poweroff", "chroot"):
            (top / "bin" / name).symlink_to("busybox")
        for number, module in enumerate(dict.fromkeys(listed)):
            shutil.copy(module, top / "modules" / f"{number:02d}-{Path(module).name}")
        (top / "init").write_text(INIT)
        (top / "init").chmod(0o755)
        names = "\n".join(str(file.relative_to(top)) for file in sorted(top.rglob("*")))
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=top, input=names.encode(), capture_output=True, check=True
        )
    path.write_bytes(packed.stdout)


def run_in_machine(out: Path, command: list[str], here: Path, cache: Path) -> int:
    """Boot the machine, run ``command`` there in ``here``, and return its exit status; output goes to our stdout."""
    kernel, modules = fetch_kernel(cache)
    out.mkdir(parents=True, exist_ok=True)
    (out / "status").unlink(missing_ok=True)
    (out / "guest.sh").write_text(GUEST.format(command=shlex.join(command)))
    initramfs = cache / "initramfs"
    make_initramfs(initramfs, kernel, modules)
    shares = {"root": ("/", True), "out": (out, False), "kernel": (modules, True), "here": (here, True)}
    arguments = ["-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048", "-cpu", "max", "-nographic", "-no-reboot"]
    arguments += ["-nodefaults", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initramfs)]
    arguments += ["-append", "console=ttyS0 quiet panic=-1 no_timer_check notsc tsc=unstable clocksource=hpet"]
    for tag, (path, read_only) in shares.items():
        share = f"local,path={path},mount_tag={tag},security_model=none,multidevs=remap"
        arguments += ["-virtfs", share + (",readonly=on" if read_only else "")]
    try:
        subprocess.run(["qemu-system-x86_64", *arguments], timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        print(f"the machine did not end within {TIMEOUT_S} s")
    status = out / "status"
    return int(status.read_text()) if status.exists() else 1


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Run what the command line names in a machine."""
    if lacking := missing_tools():
        print(f"missing: {', '.join(lacking)}; apt install {' '.join(PACKAGES)}")
        return 5
    out, _, *command = sys.argv[1:]
    here = Path.cwd()
    return run_in_machine(Path(out).resolve(), command, here, here / ".kernel-camera")


if __name__ == "__main__":
    sys.exit(main())
