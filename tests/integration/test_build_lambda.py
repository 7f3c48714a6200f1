"""The builder of the Lambda zip: its contents, when it builds, and its error messages.

Two tests use the real package and libraries. The others use a small tree and a fake wheel in a local folder.
"""

import base64
import hashlib
import os
import platform
import re
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import build_lambda
from build_lambda import BuildError, build
from support.deployment.package import lambda_zip
from support.repository.files import REPOSITORY

# The largest zip with which cold starts were measured, in bytes.
SIZE_LIMIT_BYTES = 800_000

LAMBDA = build_lambda.target_named("arm64")
ELF_NUMBERS = {name: number for number, name in build_lambda.ELF_MACHINES.items()}
UNSHIPPED = {"boto3", "botocore", "pip", "bin", "tests", "benchmarks", "__pycache__", "RECORD", "INSTALLER"}


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_zip_is_small_and_contains_only_required_files(target: str) -> None:
    path = lambda_zip(target)
    archive = zipfile.ZipFile(path)
    names = archive.namelist()
    package = {
        file.relative_to(REPOSITORY / "lambda").as_posix()
        for file in (REPOSITORY / "lambda" / "orders").rglob("*")
        if file.suffix in {".py", ".json"}
    }
    assert package == {name for name in names if name.startswith("orders/")}
    assert [name for name in names if UNSHIPPED.intersection(name.split("/"))] == []
    for distribution in {name.split("/")[0] for name in names if ".dist-info/" in name}:
        assert f"{distribution}/METADATA" in names
        assert any(name.startswith(f"{distribution}/licenses/") for name in names), distribution
    assert {stat.filemode(entry.external_attr >> 16) for entry in archive.infolist()} == {"-rw-r--r--"}
    assert path.stat().st_size <= SIZE_LIMIT_BYTES
    libraries = [name for name in names if name.endswith(".so")]
    assert libraries
    if target != "local":
        assert {struct.unpack_from("<H", archive.read(name), 18)[0] for name in libraries} == {ELF_NUMBERS[target]}
        assert all("cpython-313" in name for name in libraries), "built for a Python version other than the runtime's"
        assert "typing_extensions.py" not in names, "only older Pythons need it"


def test_local_zip_needs_no_other_packages(tmp_path: Path) -> None:
    zipfile.ZipFile(lambda_zip("local")).extractall(tmp_path)
    check = """
import sys
sys.path.insert(0, sys.argv[1])
import jsonschema, orders.domain.validation
jsonschema.Draft202012Validator({"type": "integer"}).validate(1)
foreign = [name for name, module in sys.modules.items()
           if name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__"
           and not str(getattr(module, "__file__", None) or list(module.__path__)[0]).startswith(sys.argv[1])]
assert not foreign, foreign
"""
    # -I and -S: neither the environment nor any site-packages provides a module.
    command = [sys.executable, "-I", "-S", "-c", check, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr


class SmallTree:
    """A minimal source tree with one library, which is a wheel in a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program = root / "scripts" / "build_lambda.py"
        self.dist = root / "dist"
        self.zip = self.dist / "orders-arm64.zip"
        self.program.parent.mkdir()
        shutil.copy(build_lambda.__file__, self.program)
        for name in build_lambda.REQUIRED_SOURCES:
            self.write(name, "{}" if name.endswith(".json") else "")
        wheel = root / "pure-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("pure/__init__.py", "")
            archive.writestr("pure/tests/test_pure.py", "")
            archive.writestr("pure-1.0.dist-info/METADATA", "Name: pure\nVersion: 1.0")
            archive.writestr("pure-1.0.dist-info/WHEEL", "Wheel-Version: 1.0")
            archive.writestr("pure-1.0.dist-info/RECORD", "")
        self.lock(f"pure==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")

    def write(self, name: str, text: str) -> None:
        path = self.root / "lambda" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def lock(self, text: str) -> None:
        self.write("requirements.txt", text)

    def build(self) -> Path:
        return build("arm64", self.root)

    def start(self, **options: Any) -> "subprocess.Popen[str]":
        """Start the copied program."""
        command, pipe = [sys.executable, str(self.program)], subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, stdout=pipe, stderr=pipe, text=True, **options)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallTree:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    # With PIP_PREFIX and PIP_REQUIRE_VIRTUALENV, pip would install elsewhere.
    elsewhere = {"PIP_PREFIX": "/nowhere", "PIP_REQUIRE_VIRTUALENV": "1"}
    index = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": tmp_path.as_uri()}
    for name, value in (elsewhere | index).items():
        monkeypatch.setenv(name, value)
    return SmallTree(tmp_path)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Replace the downloaded libraries with these files, which a test may change."""
    files = {"pure/__init__.py": b""}
    monkeypatch.setattr(build_lambda, "fetch_libraries", lambda *_: dict(files))
    return files


def test_concurrent_builds_produce_one_identical_zip(tree: SmallTree, tmp_path: Path) -> None:
    expected = tree.build().read_bytes()
    other = tmp_path / "a folder with spaces"
    for name in ("lambda", "scripts"):
        shutil.copytree(tree.root / name, other / name)
    for path in (other / "lambda").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    tree.root, tree.program = other, other / "scripts" / "build_lambda.py"
    builders = [tree.start(umask=0o077) for _ in range(2)]
    outputs = [builder.communicate(timeout=120) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0], outputs
    dist = other / "dist"
    assert sorted(path.name for path in dist.iterdir()) == ["orders-arm64.inputs", "orders-arm64.zip"]
    assert (dist / "orders-arm64.zip").read_bytes() == expected
    digest = hashlib.sha256(expected)
    for output, _ in outputs:
        assert "dist/orders-arm64.zip: 1 KiB, built in" in output
        assert digest.hexdigest() in output
        assert base64.b64encode(digest.digest()).decode() in output


def test_zip_is_built_only_when_an_input_has_changed(
    tree: SmallTree, fetched: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tree.build()
    before, built = first.read_bytes(), first.stat()
    for stray in [".env", "notes.txt", "handlers/.secrets.json", "tests/test_order.py", "__pycache__/order.py"]:
        tree.write(f"orders/{stray}", "")  # not shipped
    for path in (tree.root / "lambda").rglob("*"):
        path.touch()
    fetched["other.py"] = b""
    assert tree.build().stat().st_ino == built.st_ino
    tree.write("orders/handlers/status.py", "CHANGED = True\n")
    with first.open("rb") as reader:
        assert tree.build().read_bytes() != before
        assert reader.read() == before
    assert zipfile.ZipFile(first).namelist() == sorted(["pure/__init__.py", *build_lambda.REQUIRED_SOURCES])

    tree.lock("other==1.0 --hash=sha256:00\n")
    whole = tree.build().read_bytes()
    assert "other.py" in zipfile.ZipFile(first).namelist(), "a changed lock must download the libraries again"
    first.write_bytes(b"PK half a zip")
    assert tree.build().read_bytes() == whole

    built = first.stat()
    tree.program.write_text(tree.program.read_text() + "# changed\n")
    monkeypatch.setattr(build_lambda, "__file__", str(tree.program))
    assert tree.build().stat().st_ino != built.st_ino


def elf(machine: str) -> bytes:
    """Return the first bytes of a 64-bit little-endian shared library."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, ELF_NUMBERS[machine], 1) + bytes(40)


@pytest.mark.parametrize(("library", "found"), [(elf("x86_64"), "x86_64"), (b"text", "an unknown platform")])
def test_library_for_another_machine_is_rejected(
    tree: SmallTree, fetched: dict[str, bytes], library: bytes, found: str
) -> None:
    fetched["native.cpython-313.so"] = library
    with pytest.raises(BuildError, match=rf"native\.cpython-313\.so is built for {found}, but the zip is for arm64"):
        tree.build()
    assert not tree.dist.exists()
    fetched["native.cpython-313.so"] = elf("arm64")
    tree.build()


def test_pip_accepts_wheels_for_the_glibc_of_the_runtime() -> None:
    platforms = {option for option in LAMBDA.pip_options if option.startswith("--platform")}
    for tag, is_accepted in {"2014": True, "_2_17": True, "_2_34": True, "_2_35": False}.items():
        assert (f"--platform=manylinux{tag}_aarch64" in platforms) == is_accepted, tag
    assert all(re.fullmatch(r"--platform=manylinux\w+_aarch64", platform) for platform in platforms)


@pytest.mark.parametrize(
    ("marker", "applies"),
    [
        ("python_full_version < '3.13'", False),
        ("python_full_version >= '3.13.0'", True),
        ("sys_platform == 'linux' and platform_machine == 'aarch64'", True),
        ("(sys_platform == 'darwin' and platform_machine == 'arm64') or python_version == '3.11'", False),
    ],
)
def test_markers_are_evaluated_for_the_target(marker: str, applies: bool) -> None:
    lock = f"some-library==1.0 ; {marker} \\\n    --hash=sha256:00\n    # via other\n"
    expected = ["some-library==1.0 --hash=sha256:00"] if applies else []
    assert build_lambda.requirements_for(LAMBDA, lock) == expected


def test_missing_source_is_named_in_the_error(tree: SmallTree) -> None:
    (tree.root / "lambda" / "orders" / "handlers" / "status.py").unlink()
    with pytest.raises(BuildError, match=r"lambda/orders/handlers/status\.py is missing\. Restore it with"):
        tree.build()


HASH = f"--hash=sha256:{'0' * 64}"
INDEX = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}


@pytest.mark.parametrize(
    ("lock", "environment", "message"),
    [
        (f"pure==1.0 {HASH}", INDEX, r"the package index cannot be reached\. Check the network"),
        (f"pure==1.0 {HASH}", {}, "its hash differs"),
        ("pure==1.0", {}, "hash"),
        (f"native==1.0 {HASH}", {}, r"finds no wheel of native==1\.0 for Linux on arm64, Python 3\.13\. Check"),
        ("pure=1.0", {}, r"invalid line: pure=1\.0\. Run `make lock`"),
    ],
)
def test_build_error_names_the_remedy(
    tree: SmallTree, lock: str, environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.lock(lock)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BuildError, match=message) as failure:
        tree.build()
    assert "\n" not in str(failure.value)


def test_program_prints_an_error_in_one_line(tree: SmallTree, fetched: dict[str, bytes]) -> None:
    tree.dist.write_text("a file")
    with pytest.raises(BuildError, match="dist: File exists"):
        tree.build()
    (tree.root / "lambda" / "requirements.txt").unlink()
    with tree.start() as builder:
        _, errors = builder.communicate(timeout=60)
    expected = "lambda/requirements.txt is missing. Restore it with: git checkout -- lambda/requirements.txt"
    assert (builder.returncode, errors) == (1, f"build_lambda: {expected}.\n")


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_unsupported_machine_is_rejected_with_alternatives(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(
        BuildError, match=f"not {system} on {machine}. Build for AWS with --target arm64, or work in WSL"
    ):
        build_lambda.target_named("local")
