# SPDX-License-Identifier: Apache-2.0
"""Kernels and initramfs of the user's and of Debian's: what is taken, and what is refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.build import debian
from harness.build.builder import Builder
from harness.build.firmware import OpenSbiRecipe
from harness.build.given import check_given
from harness.build.guest_files import guest_files, needs_uart, recipes
from harness.build.image import banner_of, read_kernel
from harness.build.kernel import KernelRecipe
from harness.build.modules import LOAD_LIST, dependencies, modules_of, write_modules
from harness.config.load import load
from harness.config.schema import Config
from harness.errors import BuildError, ConfigError
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke_checks import check_banner
from harness.ui import QuietUi

MIB = 1 << 20
BANNER = "Linux version 6.12.107+deb13-riscv64 (debian) (gcc) #1 SMP Debian 6.12.107-1"


def image(size: int = 4 * MIB, offset: int = 2 * MIB, magic: bytes = b"RSC\x05") -> bytes:
    """Return the smallest Image: a header and a banner, as the build has it twice."""
    header = struct.pack("<8sQQQII8s8s4sI", b"MZ", offset, size, 0, 2, 0, b"", b"RISCV", magic, 0)
    return header + BANNER.replace("#1", "#").encode() + b"\n\0" + BANNER.encode() + b"\n\0"


def config(*sets: str) -> Config:
    return load((), sets).value


def file(folder: Path, content: bytes, name: str = "Image") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_names_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = config("host.kernel=debian", "tvm.kernel=small")
    assert (found.host.kernel, found.tvm.kernel) == ("debian", "small")
    assert config("tvm.kernel=./debian").tvm.kernel == str(tmp_path / "debian")


def test_a_name_that_is_not_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is not there") as caught:
        check_given(config("tvm.kernel=debain"))
    assert "small, debian" in caught.value.remedy
    with pytest.raises(ConfigError, match="cannot be") as caught:
        config("tvm.kernel=${artefact:linux.Image}")
    assert "small, debian" in caught.value.remedy


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_an_image_plain_or_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    found = read_kernel(file(tmp_path, pack(image())), "tvm.kernel")
    assert (found.content, found.offset, found.size) == (image(), 2 * MIB, 4 * MIB)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a riscv64 kernel Image"),
        (b"\x7fELF" + bytes(100), "ELF file"),
        (b"MZ\0\0zimg" + bytes(100), "unpacks its kernel"),
        (image(magic=b"ARMd"), "not a riscv64 kernel Image"),
        (image()[:40], "not a riscv64 kernel Image"),
        (image(offset=4096), "damaged"),
        (image(size=64), "damaged"),
        (gzip.compress(image())[:-20], "does not unpack"),
        (lzma.compress(image())[:-20], "does not unpack"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "packed by zstd"),
    ],
)
def test_what_is_no_image(content: bytes, says: str, tmp_path: Path) -> None:
    path = file(tmp_path, content)
    with pytest.raises(ConfigError, match=f"^tvm.kernel: .*{says}") as caught:
        check_given(config(f"tvm.kernel={path}"))
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"text", b"\x7fELF" + bytes(100), gzip.compress(image())])
def test_what_is_no_kernel_of_a_host(content: bytes, tmp_path: Path) -> None:
    """Said before a build folder is missed, or a driver built for it."""
    (tmp_path / "arch/riscv/boot").mkdir(parents=True)
    path = file(tmp_path, content, "arch/riscv/boot/Image")
    for given in (path, tmp_path):
        with pytest.raises(ConfigError, match=f"^host.kernel {path} is not a RISC-V") as caught:
            check_given(config(f"host.kernel={given}"))
        assert caught.value.remedy
    check_given(config(f"host.kernel={file(tmp_path, image(), 'Image')}"))


@pytest.mark.parametrize("key", ["host.initrd", "tvm.initrd"])
def test_what_is_no_initramfs(key: str, tmp_path: Path) -> None:
    for path, says in (
        (tmp_path, "is a folder"),
        (tmp_path / "no", "is not there"),
        (file(tmp_path, b"\x7fELF", "init"), "is no initramfs"),
        (file(tmp_path, b"", "empty"), "is no initramfs"),
    ):
        with pytest.raises(ConfigError, match=f"^{key}: .*{says}"):
            check_given(config(f"{key}={path}", "tvm.kernel=debian"))
    check_given(config(f"{key}={file(tmp_path, b'070701', 'plain')}"))


def test_the_small_kernel_unpacks_nothing(tmp_path: Path) -> None:
    packed = file(tmp_path, gzip.compress(b"070701"), "initrd.gz")
    check_given(config(f"tvm.initrd={packed}", "tvm.kernel=debian"))
    with pytest.raises(ConfigError, match="the small kernel unpacks nothing"):
        check_given(config(f"tvm.initrd={packed}"))


def test_a_kernel_that_does_not_fit(tmp_path: Path) -> None:
    kernel = file(tmp_path, image(size=40 * MIB))
    initrd = file(tmp_path, b"070701" + bytes(3 * MIB), "initrd")
    sets = [f"tvm.kernel={kernel}", f"tvm.initrd={initrd}"]
    # The shim's block, the kernel's, the initramfs's two, and the last one.
    check_given(config(*sets, "tvm.memory_mib=48"))
    with pytest.raises(ConfigError, match="46 MiB are too few") as caught:
        check_given(config(*sets, "tvm.memory_mib=46"))
    assert "give it 48 at least" in caught.value.remedy
    with pytest.raises(ConfigError, match="do not fit into the pool of 256 MiB"):
        check_given(config(*sets, "tvm.memory_mib=256"))
    with pytest.raises(ConfigError, match="memory_mib"):
        config("tvm.memory_mib=33")


def test_the_guests_files(tmp_path: Path) -> None:
    kernel, initrd = file(tmp_path, image()), file(tmp_path, b"070701", "initrd")
    own = config(f"tvm.kernel={kernel}", f"tvm.initrd={initrd}")
    assert recipes(own) == ()
    assert guest_files(own, {}).kernel == image()
    assert needs_uart(own)
    assert not needs_uart(config())
    assert [recipe.name for recipe in recipes(config())] == ["guest-initramfs", "kernel"]
    stock = config("tvm.kernel=debian")
    assert [recipe.name for recipe in recipes(stock)] == ["guest-initramfs", "debian-kernel"]
    (tmp_path / "initramfs.cpio").write_bytes(b"070701")
    places = {"debian-kernel": tmp_path, "guest-initramfs": tmp_path}
    assert guest_files(stock, places).initrd == b"070701"


def test_a_host_with_debians_kernel(cache: Path) -> None:
    names = [recipe.name for recipe in Builder(config("host.kernel=debian"), QuietUi())._recipes()]
    assert {"debian-kernel", "debian-build", "covh", "initramfs"} <= set(names)
    assert "kernel" not in names
    small = Builder(config("host.kernel=small"), QuietUi())._recipes()
    assert "kernel" in [recipe.name for recipe in small]


def test_a_recipe_that_is_given_takes_the_place_of_the_machines() -> None:
    own = [OpenSbiRecipe(), KernelRecipe()]
    recipes = Builder(config(), QuietUi(), extra=own)._recipes()
    assert [recipe for recipe in recipes if recipe.name in ("opensbi", "kernel")] == own
    # What needs the kernel still comes behind it.
    names = [recipe.name for recipe in recipes]
    assert names.index("kernel") < names.index("covh")


def test_the_banner_is_that_of_the_image() -> None:
    assert banner_of(image()) == BANNER
    assert banner_of(b"no kernel") == ""
    check_banner(BANNER, f"OpenSBI\n[    0.000000] {BANNER} (date)\n".encode(), "")
    none, other = b"OpenSBI\n", b"[    0.000000] Linux version 6.12.94 (x) (gcc) #1 SMP\n"
    for console, cmdline in ((none, "panic=1"), (other, ""), (other, "quiet")):
        with pytest.raises(CheckFailed, match=r"not that of host\.kernel"):
            check_banner(BANNER, console, cmdline)
    # One that is told to say nothing shows no banner.
    for cmdline in ("quiet a=0", "loglevel=3"):
        check_banner(BANNER, none, cmdline)


def module(*depends: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(depends).encode() + b"\0name=x\0"


def test_modules_come_in_the_order_they_load(tmp_path: Path) -> None:
    folder = tmp_path / "drivers"
    folder.mkdir()
    # As an installed kernel names them, and as its build does.
    order = "drivers/a-port.ko\ndrivers/b-ring.o\ndrivers/c-core.o\ndrivers/unused.o\n"
    for name, content in (
        ("a-port.ko", module("b-ring", "c_core")),
        ("b-ring.ko.xz", lzma.compress(module("c_core"))),
        ("c-core.ko", module()),
    ):
        (folder / name).write_bytes(content)
    wanted = ("virtio_console", "a_port")
    assert modules_of(tmp_path, wanted) == {}
    (tmp_path / "modules.order").write_text(order)
    found = modules_of(tmp_path, wanted)
    assert list(found) == ["c_core", "b_ring", "a_port"]
    write_modules(found, tmp_path / "out")
    assert (tmp_path / "out" / LOAD_LIST).read_text() == "c_core.ko\nb_ring.ko\na_port.ko\n"
    assert (tmp_path / "out/b_ring.ko").read_bytes() == module("c_core")
    assert dependencies(b"no module") == []
    with pytest.raises(BuildError, match=r"unused\.ko: No such file"):
        modules_of(tmp_path, ("unused",))


def trees(folder: Path, kernel: str, headers: str, source: str) -> tuple[Path, Path, Path]:
    generated = folder / "headers/include/generated"
    generated.mkdir(parents=True)
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{headers}"\n')
    parts = zip(("VERSION", "PATCHLEVEL", "SUBLEVEL"), source.split("."), strict=True)
    (folder / "source").mkdir()
    makefile = "".join(f"{name} = {part}\n" for name, part in parts)
    (folder / "source/Makefile").write_text(makefile)
    (folder / "image/boot").mkdir(parents=True)
    (folder / f"image/boot/vmlinux-{kernel}").touch()
    return folder / "headers", folder / "source", folder / "image"


def test_kernel_headers_and_source_of_one_version(tmp_path: Path) -> None:
    release = "6.12.107+deb13-riscv64"
    found = debian.check_release(*trees(tmp_path / "same", release, release, "6.12.107"))
    assert found == release
    for name, others in (
        ("source", (release, release, "6.12.10")),
        ("headers", (release, "6.12.94+deb13-riscv64", "6.12.107")),
        ("image", ("6.12.94+deb13-riscv64", release, "6.12.107")),
    ):
        with pytest.raises(BuildError, match="its headers are") as caught:
            debian.check_release(*trees(tmp_path / name, *others))
        assert "--update-lock" in caught.value.remedy


def test_a_configuration_that_changed_on_the_way(tmp_path: Path) -> None:
    file(tmp_path, b"#define CONFIG_DEBUG_INFO_BTF 1\n", "autoconf.h")
    before = {"autoconf.h": (tmp_path / "autoconf.h").read_bytes()}
    debian.check_same(tmp_path, before)
    file(tmp_path, b"", "autoconf.h")
    with pytest.raises(BuildError, match=r"autoconf\.h: made here, differs"):
        debian.check_same(tmp_path, before)
