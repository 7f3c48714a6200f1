"""The builder of the Lambda zip: its contents, when it builds, and its error messages.

Two tests use the real package and libraries. The others use a small tree and fake wheels in a local folder.
"""

import base64
import hashlib
import os
import platform
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import build_lambda
from build_lambda import BuildError, Target, build
from support.deployment.package import lambda_zip
from support.repository.files import REPOSITORY

# The largest zip with which cold starts were measured, in bytes.
SIZE_LIMIT_BYTES = 800_000

ELF_MACHINES = {name: number for number, name in build_lambda.ELF_MACHINES.items()}
UNSHIPPED = {"boto3", "botocore", "pip", "bin", "tests", "benchmarks", "__pycache__", "RECORD", "INSTALLER"}


def run_builder(root: Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "scripts" / "build_lambda.py")]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_zip_contains_only_files_that_an_invocation_needs(target: str) -> None:
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
        assert {struct.unpack_from("<H", archive.read(name), 18)[0] for name in libraries} == {ELF_MACHINES[target]}
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


@dataclass(frozen=True)
class Wheel:
    """A fake library."""

    name: str
    tag: str
    files: Mapping[str, bytes]

    def write(self, index: Path) -> str:
        """Write the wheel to `index`; return its line of the lock file."""
        information = f"{self.name}-1.0.dist-info"
        files = {
            **self.files,
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {self.name}\nVersion: 1.0\n".encode(),
            f"{information}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {self.tag}\n".encode(),
            f"{information}/RECORD": b"",
        }
        path = index / f"{self.name}-1.0-{self.tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return f"{self.name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


PURE = Wheel("pure", "py3-none-any", {"pure/__init__.py": b"", "pure/tests/test_pure.py": b""})


class SmallTree:
    """The smallest package that can be built, and a folder of fake wheels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index"
        self.index.mkdir()
        (root / "scripts").mkdir()
        shutil.copy(build_lambda.__file__, root / "scripts")
        for name in build_lambda.REQUIRED_SOURCES:
            self.write(name, "{}" if name.endswith(".json") else "")
        self.lock(PURE)

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    def write(self, name: str, text: str) -> None:
        path = self.root / "lambda" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def lock(self, *wheels: Wheel) -> None:
        self.write("requirements.txt", "".join(wheel.write(self.index) for wheel in wheels))

    def build(self) -> Path:
        return build("arm64", self.root)

    def names(self) -> list[str]:
        return zipfile.ZipFile(self.build()).namelist()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallTree:
    small_tree = SmallTree(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", small_tree.index.as_uri())
    # User settings that would make pip install elsewhere.
    monkeypatch.setenv("PIP_PREFIX", "/nowhere")
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    return small_tree


def test_zip_is_identical_when_folder_times_and_umask_differ(tree: SmallTree, tmp_path: Path) -> None:
    other = tmp_path / "a folder with spaces"
    for name in ("lambda", "scripts"):
        shutil.copytree(tree.root / name, other / name)
    for path in (other / "lambda").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = os.umask(0o077)
    try:
        ran = run_builder(other, cwd=tmp_path)
    finally:
        os.umask(before)
    assert ran.returncode == 0, ran.stderr
    assert (other / "dist" / "orders-arm64.zip").read_bytes() == tree.build().read_bytes()


def test_zip_is_built_only_when_an_input_has_changed(tree: SmallTree, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tree.build()
    before, built = first.read_bytes(), first.stat()
    libraries = {name for name in tree.names() if not name.startswith("orders/")}
    assert libraries
    for stray in [".env", "notes.txt", "handlers/.secrets.json", "tests/test_order.py", "__pycache__/order.py"]:
        tree.write(f"orders/{stray}", "")  # not shipped
    for path in (tree.root / "lambda").rglob("*"):
        path.touch()
    with monkeypatch.context() as offline:
        offline.setenv("PIP_FIND_LINKS", "")  # a download would fail
        assert tree.build().stat().st_ino == built.st_ino
        tree.write("orders/handlers/status.py", "CHANGED = True\n")
        with first.open("rb") as reader:
            assert tree.build().read_bytes() != before
            assert reader.read() == before
        assert tree.names() == sorted({*libraries, *build_lambda.REQUIRED_SOURCES})

    tree.lock(Wheel("other", "py3-none-any", {"other.py": b""}))
    assert "other.py" in tree.names()
    whole = first.read_bytes()
    first.write_bytes(b"PK half a zip")
    assert tree.build().read_bytes() == whole

    built = first.stat()
    changed = tree.root / "scripts" / "build_lambda.py"
    changed.write_text(changed.read_text() + "# changed\n")
    monkeypatch.setattr(build_lambda, "__file__", str(changed))
    assert tree.build().stat().st_ino != built.st_ino


def test_concurrent_builds_leave_one_complete_zip_and_print_its_hashes(tree: SmallTree) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: run_builder(tree.root, cwd=tree.root), range(3)))
    assert [result.returncode for result in results] == [0] * 3, results
    assert sorted(path.name for path in tree.dist.iterdir()) == ["orders-arm64.inputs", "orders-arm64.zip"]
    zip_path = tree.dist / "orders-arm64.zip"
    assert zipfile.ZipFile(zip_path).testzip() is None
    digest = hashlib.sha256(zip_path.read_bytes())
    for output in (result.stdout for result in results):
        assert "dist/orders-arm64.zip: 1 KiB, built in" in output
        assert digest.hexdigest() in output
        assert base64.b64encode(digest.digest()).decode() in output


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_build_keeps_the_previous_zip(
    tree: SmallTree, stop: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = tree.build().read_bytes()
    tree.lock(Wheel("other", "py3-none-any", {"other.py": b""}))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        silent_index.settimeout(60)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple")
        command = [sys.executable, str(tree.root / "scripts" / "build_lambda.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as builder:
            connection, _ = silent_index.accept()  # the download is under way
            builder.send_signal(stop)
            _, errors = builder.communicate(timeout=60)
            connection.close()
    assert (builder.returncode, errors) == (130, "build_lambda: stopped. The previous zip is unchanged.\n")
    assert (tree.dist / "orders-arm64.zip").read_bytes() == whole
    assert sorted(path.name for path in tree.dist.iterdir()) == ["orders-arm64.inputs", "orders-arm64.zip"]
    assert list(scratch.iterdir()) == []


def elf(machine: str) -> bytes:
    """Return the first bytes of a 64-bit little-endian shared library."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, ELF_MACHINES[machine], 1) + bytes(40)


def native_wheel(platform_tag: str, library: bytes) -> Wheel:
    return Wheel("native", f"cp313-cp313-{platform_tag}", {"native/_speedups.cpython-313.so": library})


@pytest.mark.parametrize(
    ("library", "found"), [(elf("x86_64"), "x86_64"), (b"text", "an unknown platform")], ids=["elf", "text"]
)
def test_library_for_another_machine_is_rejected(tree: SmallTree, library: bytes, found: str) -> None:
    tree.lock(native_wheel("manylinux_2_17_aarch64", library))
    with pytest.raises(BuildError, match=rf"_speedups\.cpython-313\.so is built for {found}, but the zip is for arm64"):
        tree.build()
    assert not tree.dist.exists()


@pytest.mark.parametrize("tag", ["manylinux2014_aarch64", "manylinux_2_34_aarch64"])
def test_wheel_is_used_when_the_runtime_has_its_glibc_version(tree: SmallTree, tag: str) -> None:
    tree.lock(native_wheel(tag, elf("arm64")))
    assert "native/_speedups.cpython-313.so" in tree.names()


@pytest.mark.parametrize("tag", ["manylinux_2_35_aarch64", "musllinux_1_2_aarch64", "manylinux_2_17_x86_64"])
def test_wheel_is_rejected_when_the_runtime_cannot_load_it(tree: SmallTree, tag: str) -> None:
    tree.lock(native_wheel(tag, elf("arm64")))
    with pytest.raises(BuildError, match=r"finds no wheel of native==1\.0 for Linux on arm64, Python 3\.13\. "):
        tree.build()


LAMBDA = build_lambda.target_named("arm64")
OLD_LINUX = Target("local", "Linux", "x86_64", "3.11.7")
OLD_MAC = Target("local", "Darwin", "arm64", "3.9.0")


@pytest.mark.parametrize(
    ("marker", "applies_to"),
    [
        ("python_full_version < '3.13'", [OLD_LINUX, OLD_MAC]),
        ("python_full_version >= '3.13.0'", [LAMBDA]),
        ("python_version == '3.11'", [OLD_LINUX]),
        ("sys_platform == 'linux' and platform_machine == 'aarch64'", [LAMBDA]),
        ("(sys_platform == 'darwin' and platform_machine == 'arm64') or python_version == '3.13'", [LAMBDA, OLD_MAC]),
    ],
)
def test_markers_are_evaluated_for_the_target(marker: str, applies_to: list[Target]) -> None:
    lock = f"some-library==1.0 ; {marker} \\\n    --hash=sha256:00\n    # via other\n"
    for target in [LAMBDA, OLD_LINUX, OLD_MAC]:
        expected = ["some-library==1.0 --hash=sha256:00"] if target in applies_to else []
        assert build_lambda.requirements_for(target, lock) == expected, target


@pytest.mark.parametrize("name", [*build_lambda.REQUIRED_SOURCES, "requirements.txt"])
def test_missing_source_is_named_in_the_error(tree: SmallTree, name: str) -> None:
    (tree.root / "lambda" / name).unlink()
    with pytest.raises(BuildError, match=f"lambda/{name} is missing. Restore it with"):
        tree.build()


def unreachable_index(tree: SmallTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        (unreachable_index, "the package index cannot be reached. Check the network"),
        (lambda tree, _: tree.write("requirements.txt", f"pure==1.0 --hash=sha256:{'0' * 64}\n"), "its hash differs"),
        (lambda tree, _: tree.write("requirements.txt", "pure==1.0\n"), "hash"),
        (lambda tree, _: tree.write("requirements.txt", "pure=1.0\n"), "invalid line: pure=1.0. Run `make lock`"),
        (lambda tree, _: tree.dist.write_text("a file"), "dist: File exists. Check permissions and free space"),
    ],
)
def test_build_error_is_one_line_with_the_remedy(
    tree: SmallTree,
    arrange: Callable[[SmallTree, pytest.MonkeyPatch], None],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrange(tree, monkeypatch)
    ran = run_builder(tree.root, cwd=tree.root)
    assert ran.returncode == 1
    assert ran.stderr.startswith("build_lambda: ")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


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
