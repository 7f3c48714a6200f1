"""The builder of the Lambda zip: what is inside, when it is built anew, what is said when it cannot be.

Tests of contents use the real package and the real libraries; tests of mechanics use a small tree with
made-up libraries in a folder that stands in for the package index, so that they need no network.
"""

import base64
import hashlib
import os
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
from deployment.package import lambda_zip
from repository.files import REPOSITORY

# The largest zip that the functions' cold start was measured with, in bytes.
SIZE_LIMIT_BYTES = 800_000

# e_machine of an ELF header, from elf.h.
ELF_MACHINES = {"arm64": 183, "x86_64": 62}

# ------------------------------------------------------------------------------------------------------------
# What is in the zip
# ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the builder needs of this repository."""
    return copy_of_repository(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def real_zip(checkout: Path) -> Callable[[str], zipfile.ZipFile]:
    """Opens the zip of the real package for a target."""

    def opened(target: str) -> zipfile.ZipFile:
        return zipfile.ZipFile(lambda_zip(target, checkout))

    return opened


@pytest.mark.parametrize("target", ["arm64", "x86_64"])
def test_native_libraries_are_for_the_target_wherever_the_zip_is_built(
    target: str, real_zip: Callable[[str], zipfile.ZipFile]
) -> None:
    archive = real_zip(target)

    libraries = [name for name in archive.namelist() if name.endswith(".so")]

    machines = {struct.unpack_from("<H", archive.read(name), 18)[0] for name in libraries}
    assert machines == {ELF_MACHINES[target]}, libraries
    assert all("cpython-313" in name for name in libraries), "built for another Python than the runtime's"


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_the_whole_package_and_its_schema_are_inside(target: str, real_zip: Callable[[str], zipfile.ZipFile]) -> None:
    archive = real_zip(target)

    package = {
        path.relative_to(REPOSITORY / "lambda").as_posix()
        for path in (REPOSITORY / "lambda" / "orders").rglob("*")
        if path.suffix in {".py", ".json"}
    }

    assert package == {name for name in archive.namelist() if name.startswith("orders/")}
    assert "orders/order.schema.json" in package


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_nothing_is_inside_that_no_invocation_reads(target: str, real_zip: Callable[[str], zipfile.ZipFile]) -> None:
    unneeded = {
        "boto3",
        "botocore",
        "pip",
        "setuptools",
        "tests",
        "benchmarks",
        "__pycache__",
        "RECORD",
        "INSTALLER",
    }

    found = [name for name in real_zip(target).namelist() if unneeded.intersection(name.split("/"))]

    assert found == []


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_every_library_keeps_its_licence_and_its_version(
    target: str, real_zip: Callable[[str], zipfile.ZipFile]
) -> None:
    names = real_zip(target).namelist()

    for distribution in {name.split("/")[0] for name in names if ".dist-info/" in name}:
        assert f"{distribution}/METADATA" in names
        assert any(name.startswith(f"{distribution}/licenses/") for name in names), distribution


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_the_zip_is_small(target: str, real_zip: Callable[[str], zipfile.ZipFile]) -> None:
    path = real_zip(target).filename
    assert path is not None
    assert Path(path).stat().st_size <= SIZE_LIMIT_BYTES


@pytest.mark.parametrize("target", build_lambda.TARGET_NAMES)
def test_every_file_can_be_read_by_the_functions_user(target: str, real_zip: Callable[[str], zipfile.ZipFile]) -> None:
    modes = {stat.filemode(entry.external_attr >> 16) for entry in real_zip(target).infolist()}

    assert modes == {"-rw-r--r--"}


@pytest.mark.parametrize("target", ["arm64", "x86_64"])
def test_libraries_that_only_older_pythons_need_are_left_out_for_aws(
    target: str, real_zip: Callable[[str], zipfile.ZipFile]
) -> None:
    assert "typing_extensions.py" not in real_zip(target).namelist()


def test_the_local_zip_needs_nothing_but_itself(real_zip: Callable[[str], zipfile.ZipFile], tmp_path: Path) -> None:
    real_zip("local").extractall(tmp_path)
    check = """
import sys
sys.path.insert(0, sys.argv[1])
import jsonschema, orders.domain.validation
jsonschema.Draft202012Validator({"type": "integer"}).validate(1)
foreign = [name for name, module in sys.modules.items()
           if name not in sys.stdlib_module_names and name.partition(".")[0] not in sys.stdlib_module_names
           and name != "__main__" and not str(getattr(module, "__file__", None) or list(module.__path__)[0]).startswith(sys.argv[1])]
assert not foreign, foreign
"""

    # -I and -S: neither the environment nor any site-packages lends a module.
    command = [sys.executable, "-I", "-S", "-c", check, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == 0, ran.stderr


def test_the_same_inputs_give_the_same_bytes_from_another_folder_time_and_umask(checkout: Path, tmp_path: Path) -> None:
    first = lambda_zip("arm64", checkout)
    other = copy_of_repository(tmp_path / "a folder with spaces")
    for path in (other / "lambda").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = os.umask(0o077)
    try:
        ran = run_builder(other, "arm64", cwd=tmp_path)
    finally:
        os.umask(before)

    assert ran.returncode == 0, ran.stderr
    assert (other / "dist" / "orders-arm64.zip").read_bytes() == first.read_bytes()


def copy_of_repository(root: Path) -> Path:
    """Copy the package, its lock and the builder into `root`."""
    (root / "scripts").mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts" / "build_lambda.py", root / "scripts")
    shutil.copytree(REPOSITORY / "lambda", root / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    return root


# ------------------------------------------------------------------------------------------------------------
# When it is built
# ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wheel:
    """A made-up library as the package index would offer it."""

    name: str
    tag: str
    files: Mapping[str, bytes]

    def write(self, index: Path) -> str:
        """Put the wheel into `index` and return its line of the lock."""
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
    """A root with the smallest package that can be built, and an index of made-up wheels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = root / "index"
        self.index.mkdir()
        (root / "scripts").mkdir()
        shutil.copy(REPOSITORY / "scripts" / "build_lambda.py", root / "scripts")
        for name in build_lambda.REQUIRED_SOURCES:
            self.write(name, "{}" if name.endswith(".json") else "")
        self.lock(PURE)

    @property
    def zip(self) -> Path:
        return self.root / "dist" / "orders-arm64.zip"

    def write(self, name: str, text: str) -> None:
        path = self.root / "lambda" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def lock(self, *wheels: Wheel) -> None:
        self.write("requirements.txt", "".join(wheel.write(self.index) for wheel in wheels))

    def build(self) -> Path:
        return build("arm64", self.root)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallTree:
    small_tree = SmallTree(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(small_tree.index))
    return small_tree


def test_nothing_is_done_while_the_inputs_stay_as_they_are(
    tree: SmallTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built = tree.build().stat()
    for path in (tree.root / "lambda").rglob("*"):
        path.touch()
    monkeypatch.setenv("PIP_FIND_LINKS", "")  # a download would fail

    again = tree.build().stat()

    assert (again.st_ino, again.st_mtime_ns) == (built.st_ino, built.st_mtime_ns)
    assert "up to date" in capsys.readouterr().out


def test_a_changed_package_is_built_anew(tree: SmallTree) -> None:
    before = tree.build().read_bytes()
    tree.write("orders/handlers/status.py", "CHANGED = True\n")

    assert tree.build().read_bytes() != before


def test_a_changed_lock_is_built_anew(tree: SmallTree) -> None:
    tree.build()
    tree.lock(Wheel("other", "py3-none-any", {"other.py": b""}))

    assert "other.py" in zipfile.ZipFile(tree.build()).namelist()


def test_a_changed_builder_builds_anew(tree: SmallTree, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tree.root / "scripts" / "build_lambda.py"
    changed.write_text(changed.read_text() + "# changed\n")
    built = tree.build().stat()
    monkeypatch.setattr(build_lambda, "__file__", str(changed))

    assert tree.build().stat().st_mtime_ns > built.st_mtime_ns


def test_who_reads_the_zip_while_it_is_replaced_reads_all_of_the_old_one(tree: SmallTree) -> None:
    before = tree.build().read_bytes()
    tree.write("orders/handlers/status.py", "CHANGED = True\n")

    with tree.zip.open("rb") as reader:
        tree.build()
        assert reader.read() == before


@pytest.mark.parametrize("damage", [b"", b"PK half a zip"])
def test_a_damaged_zip_is_built_anew(tree: SmallTree, damage: bytes) -> None:
    whole = tree.build().read_bytes()
    tree.zip.write_bytes(damage)

    assert tree.build().read_bytes() == whole


def test_what_lies_beside_the_code_stays_at_home(tree: SmallTree) -> None:
    for stray in [
        ".env",
        "notes.txt",
        "handlers/.secrets.json",
        "tests/test_order.py",
        "__pycache__/order.py",
    ]:
        tree.write(f"orders/{stray}", "")

    names = zipfile.ZipFile(tree.build()).namelist()

    assert [name for name in names if name.startswith("orders/")] == sorted(build_lambda.REQUIRED_SOURCES)


def test_builds_side_by_side_leave_one_whole_zip(tree: SmallTree, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run_builder(tree.root, "arm64"), range(4)))

    assert [result.returncode for result in results] == [0] * 4, results
    assert sorted(path.name for path in tree.zip.parent.iterdir()) == [
        "orders-arm64.inputs",
        "orders-arm64.zip",
    ]
    assert zipfile.ZipFile(tree.zip).testzip() is None
    assert "up to date" in run_builder(tree.root, "arm64").stdout


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_build_leaves_what_was_there(
    tree: SmallTree, stop: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = tree.build().read_bytes()
    tree.write("orders/handlers/status.py", "CHANGED = True\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.delenv("PIP_NO_INDEX")
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        silent_index.settimeout(30)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple")
        command = [sys.executable, str(tree.root / "scripts" / "build_lambda.py")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as builder:
            connection, _ = silent_index.accept()  # the download is under way
            builder.send_signal(stop)
            _, errors = builder.communicate(timeout=30)
            connection.close()

    assert builder.returncode == 130
    assert errors == "build_lambda: stopped; what was built before is untouched\n"
    assert tree.zip.read_bytes() == whole
    assert sorted(path.name for path in tree.zip.parent.iterdir()) == [
        "orders-arm64.inputs",
        "orders-arm64.zip",
    ]
    assert list(scratch.iterdir()) == []


def test_path_size_and_both_spellings_of_the_sum_are_said(tree: SmallTree) -> None:
    said = run_builder(tree.root, "arm64", cwd=tree.root).stdout

    digest = hashlib.sha256(tree.zip.read_bytes())
    assert "dist/orders-arm64.zip: " in said
    assert "KiB, built in" in said
    assert digest.hexdigest() in said
    assert base64.b64encode(digest.digest()).decode() in said


# ------------------------------------------------------------------------------------------------------------
# What fits the target
# ------------------------------------------------------------------------------------------------------------


def elf(machine: str) -> bytes:
    """The first bytes of a 64-bit little-endian shared library."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, ELF_MACHINES[machine], 1) + bytes(40)


def native_wheel(platform_tag: str, library: bytes) -> Wheel:
    return Wheel("native", f"cp313-cp313-{platform_tag}", {"native/_speedups.cpython-313.so": library})


def test_a_library_for_another_processor_is_refused_and_the_zip_left_alone(tree: SmallTree) -> None:
    whole = tree.build().read_bytes()
    tree.lock(native_wheel("manylinux_2_17_aarch64", elf("x86_64")))

    with pytest.raises(BuildError, match=r"_speedups\.cpython-313\.so is built for Linux on x86_64, but .* arm64"):
        tree.build()

    assert tree.zip.read_bytes() == whole


def test_a_library_of_an_unknown_kind_is_refused(tree: SmallTree) -> None:
    tree.lock(native_wheel("manylinux_2_17_aarch64", b"not a library"))

    with pytest.raises(BuildError, match="built for an unknown platform"):
        tree.build()


@pytest.mark.parametrize("tag", ["manylinux2014_aarch64", "manylinux_2_28_aarch64", "manylinux_2_34_aarch64"])
def test_wheels_for_the_runtimes_c_library_or_an_older_one_are_taken(tree: SmallTree, tag: str) -> None:
    tree.lock(native_wheel(tag, elf("arm64")))

    assert "native/_speedups.cpython-313.so" in zipfile.ZipFile(tree.build()).namelist()


@pytest.mark.parametrize("tag", ["manylinux_2_35_aarch64", "musllinux_1_2_aarch64", "manylinux_2_17_x86_64"])
def test_wheels_that_the_runtime_could_not_load_are_not(tree: SmallTree, tag: str) -> None:
    tree.lock(native_wheel(tag, elf("arm64")))

    with pytest.raises(BuildError, match=r"finds no wheel of native==1\.0 for Linux on arm64, Python 3\.13; "):
        tree.build()


def macos_library(*machines: str) -> bytes:
    """The first bytes of a Mach-O library, a universal one for several machines (mach-o/loader.h, fat.h)."""
    cpu_types = [{"arm64": 0x0100000C, "x86_64": 0x01000007}[machine] for machine in machines]
    if len(cpu_types) == 1:
        return struct.pack("<II", 0xFEEDFACF, cpu_types[0]) + bytes(24)
    parts = b"".join(struct.pack(">IIIII", cpu_type, 0, 0, 0, 0) for cpu_type in cpu_types)
    return struct.pack(">II", 0xCAFEBABE, len(cpu_types)) + parts


@pytest.mark.parametrize(
    ("library", "platforms"),
    [
        (elf("arm64"), [("Linux", "arm64")]),
        (elf("x86_64"), [("Linux", "x86_64")]),
        (macos_library("arm64"), [("Darwin", "arm64")]),
        (macos_library("x86_64", "arm64"), [("Darwin", "x86_64"), ("Darwin", "arm64")]),
        (elf("arm64")[:10], []),
        (b"", []),
    ],
)
def test_the_platform_of_a_library_is_read_from_its_header(library: bytes, platforms: list[tuple[str, str]]) -> None:
    assert build_lambda.platforms_of(library) == platforms


LAMBDA = build_lambda.target_named("arm64")
OLD_LINUX = Target("local", "Linux", "x86_64", "3.11.7", ())
OLD_MAC = Target("local", "Darwin", "arm64", "3.9.0", ())
NEW_LINUX = Target("local", "Linux", "x86_64", "3.14.0rc1", ())


@pytest.mark.parametrize(
    ("marker", "holding_on"),
    [
        ("python_full_version < '3.13'", [OLD_LINUX, OLD_MAC]),
        ("python_full_version < '3.13.1'", [LAMBDA, OLD_LINUX, OLD_MAC]),
        ("python_version >= '3.10'", [LAMBDA, OLD_LINUX, NEW_LINUX]),
        ("python_full_version >= '3.13.0'", [LAMBDA, NEW_LINUX]),
        ("python_version == '3.11'", [OLD_LINUX]),
        ("sys_platform == 'linux' and platform_machine == 'aarch64'", [LAMBDA]),
        (
            "(sys_platform == 'darwin' and platform_machine == 'arm64') or python_version == '3.13'",
            [LAMBDA, OLD_MAC],
        ),
        ("implementation_name != 'cpython' or sys_platform == 'win32'", []),
    ],
)
def test_markers_are_settled_for_the_target_and_not_for_this_interpreter(marker: str, holding_on: list[Target]) -> None:
    lock = f"some-library==1.0 ; {marker} \\\n    --hash=sha256:00\n    # via other\n"

    for target in [LAMBDA, OLD_LINUX, OLD_MAC, NEW_LINUX]:
        expected = ["some-library==1.0 --hash=sha256:00"] if target in holding_on else []
        assert build_lambda.requirements_for(target, lock) == expected, target


@pytest.mark.parametrize("marker", ["extra == 'fast'", "python_version ~= '3.9'", "__import__('os')", "'a' < 1"])
def test_a_marker_that_is_not_understood_is_not_guessed(marker: str) -> None:
    with pytest.raises(BuildError, match="is not understood"):
        build_lambda.requirements_for(LAMBDA, f"some-library==1.0 ; {marker}\n")


# ------------------------------------------------------------------------------------------------------------
# What is said when it cannot be built
# ------------------------------------------------------------------------------------------------------------


def test_an_unknown_target_is_refused_with_the_known_ones(tree: SmallTree) -> None:
    ran = run_builder(tree.root, "sparc")

    assert ran.returncode == 2
    assert all(name in ran.stderr for name in ["sparc", *build_lambda.TARGET_NAMES])


@pytest.mark.parametrize("name", [*build_lambda.REQUIRED_SOURCES, "requirements.txt"])
def test_a_missing_source_is_named(tree: SmallTree, name: str) -> None:
    (tree.root / "lambda" / name).unlink()

    with pytest.raises(BuildError, match=f"lambda/{name} is missing; bring it back with"):
        tree.build()


def test_an_index_out_of_reach_is_told_from_a_missing_wheel(tree: SmallTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed_port = server.getsockname()[1]
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port}/simple")

    ran = run_builder(tree.root, "arm64")

    assert ran.returncode == 1
    assert ran.stderr.startswith("build_lambda: the package index cannot be reached; check the network")
    assert ran.stderr.count("\n") == 1


def test_a_library_other_than_the_pinned_one_is_refused(tree: SmallTree) -> None:
    tree.write("requirements.txt", f"pure==1.0 --hash=sha256:{'0' * 64}\n")

    with pytest.raises(BuildError, match="its hash differs"):
        tree.build()


def test_a_pin_without_a_hash_is_refused(tree: SmallTree) -> None:
    tree.write("requirements.txt", "pure==1.0\n")

    with pytest.raises(BuildError, match=r"(?i)hash"):
        tree.build()


def test_a_folder_that_cannot_be_written_is_named(tree: SmallTree) -> None:
    (tree.root / "dist").write_text("a file where the folder should be")

    ran = run_builder(tree.root, "arm64", cwd=tree.root)

    assert ran.returncode == 1
    assert ran.stderr.startswith("build_lambda: cannot write dist/orders-arm64.zip: ")
    assert ran.stderr.count("\n") == 1


def test_a_python_without_pip_is_told_what_to_install(tree: SmallTree) -> None:
    # -I and -S hide every site-packages, and pip with them.
    command = [sys.executable, "-I", "-S", str(tree.root / "scripts" / "build_lambda.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == 1
    assert "has no pip; install it" in ran.stderr
    assert ran.stderr.count("\n") == 1


def run_builder(root: Path, target: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the builder of `root` as a person would."""
    command = [sys.executable, str(root / "scripts" / "build_lambda.py"), "--target", target]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
