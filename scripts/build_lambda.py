#!/usr/bin/env python3
"""Build the Lambda zip: the package `orders` and its pinned libraries, for one target, without containers.

    python scripts/build_lambda.py --target arm64     writes dist/orders-arm64.zip, what AWS runs by default
    python scripts/build_lambda.py --target local     writes dist/orders-local.zip, what the local stack runs

It needs Python 3.11 or newer with pip and nothing else, so it runs before the virtual environment exists.
The zip is a pure function of its inputs: built twice on one machine it is the same byte for byte, so that
an unchanged function is never deployed again.
"""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import importlib.util
import io
import json
import operator
import os
import platform
import re
import secrets
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any, NoReturn

REPOSITORY = Path(__file__).resolve().parents[1]

TARGET_NAMES = ("arm64", "x86_64", "local")

# The runtime the functions are declared with in terraform-backend/ and cloudformation/.
LAMBDA_PYTHON = "3.13"

# python3.13 runs on Amazon Linux 2023, whose C library is glibc 2.34: a wheel built for it or older loads.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, https://docs.aws.amazon.com/linux/al2023/
LAMBDA_GLIBC_MINOR = 34

# manylinux2014 is glibc 2.17, the oldest for which CPython 3.13 wheels are made (PEP 599, PEP 600).
OLDEST_GLIBC_MINOR = 17

# The processor names that wheels and `platform.machine()` use, by the name that Lambda uses.
WHEEL_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
LAMBDA_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}

# A zip without one of these would be deployed all the same, and fail at its first invocation.
REQUIRED_SOURCES = (
    "orders/order.schema.json",
    "orders/handlers/submission.py",
    "orders/handlers/processing.py",
    "orders/handlers/status.py",
    "orders/handlers/notification.py",
)

# Only what the functions execute or read is shipped: a note or credential left beside the code stays at home.
SHIPPED_SOURCE_SUFFIXES = frozenset({".py", ".json"})

# Directories that no invocation ever reads, in our package or in a library.
UNSHIPPED_DIRECTORIES = frozenset({"__pycache__", "benchmarks", "tests"})

# Type stubs and installers' notes. Licences stay because they ask to, METADATA and SBOMs because scanners
# of deployed functions read from them which versions are there.
UNSHIPPED_LIBRARY_SUFFIXES = frozenset({".pyc", ".pyi", ".pyo"})
UNSHIPPED_LIBRARY_NAMES = frozenset(
    {"INSTALLER", "RECORD", "REQUESTED", "WHEEL", "entry_points.txt", "py.typed", "top_level.txt"}
)

# The oldest time a zip can express; any fixed one would do.
ENTRY_TIME = (1980, 1, 1, 0, 0, 0)

# rw-r--r--: the functions run as a user that does not own the files, and none of them is executed by path.
ENTRY_MODE = 0o100644

MARKER_RELATIONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

Report = Callable[[str], None]
"""Takes one line of progress for a person to read."""


class BuildError(Exception):
    """The zip cannot be built; the text is one sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class Target:
    """The machine that will run the zip."""

    name: str
    system: str
    """As `platform.system()` says it: Linux or Darwin."""
    machine: str
    """As Lambda says it: arm64 or x86_64."""
    python: str
    """The version of its Python, such as 3.13 or 3.11.7."""
    pip_options: tuple[str, ...]
    """What makes pip choose wheels for it."""

    @property
    def description(self) -> str:
        """The target in words, such as "Linux on arm64, Python 3.13"."""
        return f"{platform_in_words(self.system, self.machine)}, Python {self.python}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, stop)
    try:
        build(options.target)
    except BuildError as error:
        print(f"build_lambda: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build_lambda: stopped; what was built before is untouched", file=sys.stderr)
        return 130
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the parsed command line; print help or the mistake and exit where there is nothing to do."""
    parser = argparse.ArgumentParser(
        prog="build_lambda.py",
        description="Build dist/orders-TARGET.zip from lambda/orders and the libraries that "
        "lambda/requirements.txt pins. Nothing is done while the zip is up to date.",
        epilog="Libraries come through pip: its configuration and its cache apply (PIP_INDEX_URL and so on). "
        "To build from nothing, delete the zip.",
    )
    parser.add_argument(
        "--target",
        choices=TARGET_NAMES,
        default="arm64",
        help=f"arm64 or x86_64: the Lambda runtime python{LAMBDA_PYTHON} on that processor; "
        "local: this machine and the Python that runs this script (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def stop(signal_number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C, so that temporary files are removed."""
    raise KeyboardInterrupt


def build(target_name: str, root: Path = REPOSITORY, report: Report = print) -> Path:
    """Bring `root`/dist/orders-<target>.zip up to date and return its path.

    `target_name` is one of TARGET_NAMES; `report` is told what is being done, line by line. Builds may run
    side by side: each writes a file of its own and puts it in place in one step. Raises BuildError, with
    the previous zip left as it was, if anything is in the way.
    """
    started = time.monotonic()
    target = target_named(target_name)
    sources = read_sources(root)
    lock = read_lock(root)
    zip_path = root / "dist" / f"orders-{target.name}.zip"
    record_path = zip_path.with_suffix(".inputs")

    fingerprint = fingerprint_of(target, lock, sources)
    current = read_if_current(zip_path, record_path, fingerprint)
    if current is not None:
        report_zip(report, zip_path, current, "up to date")
        return zip_path

    libraries = fetch_libraries(target, lock, report)
    refuse_foreign_code(libraries, target)
    content = pack(merge(sources, libraries))
    with refusals_of_the_disk(f"cannot write {shown(zip_path)}"):
        zip_path.parent.mkdir(exist_ok=True)
        replace(zip_path, content)
        # Second, so that a stop in between leaves a record that does not match and the next run builds again.
        replace(record_path, record_of(fingerprint, content))
    report_zip(report, zip_path, content, f"built in {time.monotonic() - started:.1f} s")
    return zip_path


# ------------------------------------------------------------------------------------------------------------
# Target
# ------------------------------------------------------------------------------------------------------------


def target_named(name: str) -> Target:
    """Return the target called `name`; raise BuildError where there is none or this machine cannot be one."""
    if name == "local":
        return local_target()
    if name not in WHEEL_MACHINES:
        raise BuildError(f"there is no target '{name}'; choose one of {', '.join(TARGET_NAMES)}")
    machine = WHEEL_MACHINES[name]
    glibc_minors = range(LAMBDA_GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1)
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in glibc_minors] + [f"manylinux2014_{machine}"]
    abi = "cp" + LAMBDA_PYTHON.replace(".", "")
    options = [f"--platform={tag}" for tag in platforms]
    options += ["--implementation=cp", f"--python-version={LAMBDA_PYTHON}", f"--abi={abi}"]
    return Target(name, "Linux", name, LAMBDA_PYTHON, tuple(options))


def local_target() -> Target:
    """Return this machine and the interpreter that runs this, which pip takes as given."""
    machine = LAMBDA_MACHINES.get(platform.machine().lower())
    if platform.system() not in {"Linux", "Darwin"} or machine is None:
        raise BuildError(
            f"the local target is for Linux and macOS on arm64 or x86_64, not {platform.system()} on "
            f"{platform.machine()}; build for AWS with --target arm64, or work in WSL or a virtual machine"
        )
    return Target("local", platform.system(), machine, platform.python_version(), ())


def platform_in_words(system: str, machine: str) -> str:
    """Return such as "Linux on arm64"."""
    return f"{'macOS' if system == 'Darwin' else system} on {machine}"


# ------------------------------------------------------------------------------------------------------------
# Inputs
# ------------------------------------------------------------------------------------------------------------


def read_sources(root: Path) -> dict[str, bytes]:
    """Return the content of every file of the package `orders` that ships, by its name in the zip."""
    with refusals_of_the_disk("cannot read the package"):
        files = {
            path.relative_to(root / "lambda").as_posix(): path.read_bytes()
            for path in (root / "lambda" / "orders").rglob("*")
            if path.suffix in SHIPPED_SOURCE_SUFFIXES and path.is_file()
        }
    shipped = {name: content for name, content in files.items() if not is_unshipped_source(name)}
    for name in REQUIRED_SOURCES:
        if name not in shipped:
            raise BuildError(f"lambda/{name} is missing; bring it back with: git checkout -- lambda/{name}")
    return shipped


def is_unshipped_source(name: str) -> bool:
    """Whether `name` lies in a directory that does not ship, or is hidden."""
    return any(part in UNSHIPPED_DIRECTORIES or part.startswith(".") for part in name.split("/"))


def read_lock(root: Path) -> str:
    """Return the text of lambda/requirements.txt, which pins each library and the hashes of its wheels."""
    path = root / "lambda" / "requirements.txt"
    if not path.is_file():
        raise BuildError(
            "lambda/requirements.txt is missing; bring it back with: git checkout -- lambda/requirements.txt"
        )
    with refusals_of_the_disk("cannot read the pinned libraries"):
        return path.read_text(encoding="utf-8")


def fingerprint_of(target: Target, lock: str, sources: Mapping[str, bytes]) -> str:
    """Return a SHA-256 over all that the zip depends on: target, lock, package and this builder."""
    digest = hashlib.sha256()
    inputs = {
        "target": json.dumps(asdict(target)).encode(),
        "lock": lock.encode(),
        "builder": Path(__file__).read_bytes(),
        **{f"source {name}": content for name, content in sources.items()},
    }
    for name, content in sorted(inputs.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


# ------------------------------------------------------------------------------------------------------------
# Libraries
# ------------------------------------------------------------------------------------------------------------


def fetch_libraries(target: Target, lock: str, report: Report) -> dict[str, bytes]:
    """Download the locked wheels for `target`; return their files that ship, by name in the zip."""
    requirements = requirements_for(target, lock)
    pins = ", ".join(requirement.split(maxsplit=1)[0] for requirement in requirements)
    report(f"fetching libraries for {target.description}: {pins}")
    libraries: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory(prefix="build-lambda-") as directory:
        for wheel in download(target, requirements, Path(directory)):
            libraries = merge(libraries, wheel_files(wheel))
    return libraries


def requirements_for(target: Target, lock: str) -> list[str]:
    """Return the lines of the lock that apply to `target`, each a pin with its hashes and without its marker.

    pip evaluates markers such as ``python_full_version < '3.13'`` for the interpreter it runs in, whatever it
    downloads for. So they are settled here, and pip is asked for exactly what is left.
    """
    statements = re.sub(r"\\\n", " ", re.sub(r"(?m)(^|\s)#.*$", "", lock)).splitlines()
    applying = []
    for statement in filter(None, map(str.strip, statements)):
        pin, *hashes = re.split(r"\s+(?=--hash=)", statement)
        requirement, _, marker = (part.strip() for part in pin.partition(";"))
        if not marker or marker_holds(marker, target):
            applying.append(" ".join([requirement, *hashes]))
    return applying


def marker_holds(marker: str, target: Target) -> bool:
    """Whether an environment marker (PEP 508) is true on `target`; raise BuildError for one not understood.

    The markers of a lock are Python expressions: comparisons of a name with a string, joined by ``and`` and
    ``or``.
    """
    facts = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": WHEEL_MACHINES[target.machine] if target.system == "Linux" else target.machine,
        "platform_python_implementation": "CPython",
        "platform_system": target.system,
        "python_full_version": target.python,
        "python_version": ".".join(target.python.split(".")[:2]),
        "sys_platform": target.system.lower(),
    }

    def holds(node: ast.AST) -> bool:
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(map(holds, parts))
            case ast.BoolOp(op=ast.Or(), values=parts):
                return any(map(holds, parts))
            case ast.Compare(ast.Name(fact), [relation], [ast.Constant(str(text))]):
                return MARKER_RELATIONS[type(relation)](comparable(facts[fact]), comparable(text))
        raise ValueError

    try:
        return holds(ast.parse(marker, mode="eval").body)
    except (KeyError, SyntaxError, TypeError, ValueError):
        raise BuildError(
            f'the marker "{marker}" in lambda/requirements.txt is not understood; teach it to marker_holds() '
            "in scripts/build_lambda.py"
        ) from None


def comparable(text: str) -> str | tuple[int, ...]:
    """Return a version as numbers (3.9 < 3.13 = 3.13.0, and 3.14.0rc1 counts as 3.14.0), or else `text`."""
    version = re.fullmatch(r"(\d+(?:\.\d+)*)(?:(?:a|b|rc)\d+)?\+?", text)
    if version is None:
        return text
    numbers = [int(number) for number in version[1].split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def download(target: Target, requirements: list[str], directory: Path) -> list[Path]:
    """Have pip put the wheels of `requirements` into `directory`, hashes checked; return their paths."""
    if importlib.util.find_spec("pip") is None:
        raise BuildError(
            f"{sys.executable} has no pip; install it (python3-pip, or 'python3 -m ensurepip'), or run this "
            "with .venv/bin/python"
        )
    listing = directory / "requirements.txt"
    listing.write_text("\n".join(requirements), encoding="utf-8")
    # -P keeps the current folder off the import path: a file there may carry a standard module's name.
    command = [sys.executable, "-P", "-m", "pip", "download", "--dest", str(directory)]
    command += ["--requirement", str(listing), "--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--no-color", "--no-input", "--disable-pip-version-check", *target.pip_options]
    # Nothing is installed, so a personal rule to install into virtual environments only does not apply; and
    # what pip unpacks goes where it is removed even if pip is stopped.
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "TMPDIR": str(directory)}
    pip = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if pip.returncode != 0:
        raise BuildError(reason_for_no_wheels(pip.stderr, target))
    return sorted(directory.glob("*.whl"))


def reason_for_no_wheels(complaint: str, target: Target) -> str:
    """Return one sentence for what pip wrote when it failed."""
    missing = re.search(r"No matching distribution found for (\S+)", complaint)
    if re.search(r"Retrying \(|ConnectionError|SSLError", complaint):
        return (
            "the package index cannot be reached; check the network and pip's settings ('pip config list'), "
            "and run this again"
        )
    if "DO NOT MATCH THE HASHES" in complaint:
        return (
            "a downloaded library is not the one that lambda/requirements.txt pins, for its hash differs; "
            "run 'pip cache purge' and this again, and trust no index that goes on serving it"
        )
    if missing is not None:
        return (
            f"pip finds no wheel of {missing[1]} for {target.description}; check which indexes it asks "
            "('pip config list'), or pin a version that has one in lambda/requirements.in and run 'make lock'"
        )
    errors = re.findall(r"(?m)^ERROR: (.+)$", complaint) or complaint.strip().splitlines() or ["nothing"]
    return f"pip could not download the libraries: {errors[-1].rstrip('.')}; mend that and run this again"


def wheel_files(wheel: Path) -> dict[str, bytes]:
    """Return the content of every file of `wheel` that ships, by its name in the zip."""
    with zipfile.ZipFile(wheel) as archive:
        named = ((installed_name(entry), entry) for entry in archive.namelist() if not entry.endswith("/"))
        return {name: archive.read(entry) for name, entry in named if name is not None}


def installed_name(entry: str) -> str | None:
    """Return where a wheel's `entry` belongs on the import path, or None where no function needs it."""
    path = PurePosixPath(entry)
    if path.parts[0].endswith(".data"):
        # Of a wheel's extra trees only these two are modules; the others are scripts, headers and the like.
        if path.parts[1] not in {"purelib", "platlib"}:
            return None
        path = PurePosixPath(*path.parts[2:])
    if UNSHIPPED_DIRECTORIES.intersection(path.parts) or path.suffix in UNSHIPPED_LIBRARY_SUFFIXES:
        return None
    return None if path.name in UNSHIPPED_LIBRARY_NAMES else str(path)


# ------------------------------------------------------------------------------------------------------------
# Native code
# ------------------------------------------------------------------------------------------------------------


def refuse_foreign_code(files: Mapping[str, bytes], target: Target) -> None:
    """Raise BuildError if a native library in `files` cannot be loaded on `target`.

    A wheel's name only claims its platform, so the header of the library itself is read: a wrong one would be
    noticed at the first invocation, by a customer.
    """
    for name, content in files.items():
        if not (is_native_name(name) or content.startswith(b"\x7fELF")):
            continue
        platforms = platforms_of(content)
        if (target.system, target.machine) not in platforms:
            built_for = " and ".join(platform_in_words(*each) for each in platforms) or "an unknown platform"
            raise BuildError(
                f"the library {name} is built for {built_for}, but the zip is for "
                f"{platform_in_words(target.system, target.machine)}; its wheel is mislabelled: pin another "
                "version in lambda/requirements.in and run 'make lock'"
            )


def is_native_name(name: str) -> bool:
    """Whether a file of this name is loaded by the dynamic linker."""
    return re.search(r"\.(so(\.[\d.]+)?|dylib|pyd|dll)$", name) is not None


def platforms_of(library: bytes) -> list[tuple[str, str]]:
    """Return (system, machine) of each platform that a native library is built for, read from its header.

    ELF, 64 bits, little-endian: e_machine at byte 18 (elf.h). Mach-O: cputype at byte 4 (mach-o/loader.h),
    or that of each part of a universal file (mach-o/fat.h).
    """
    try:
        if library[:6] == b"\x7fELF\x02\x01":
            (machine,) = struct.unpack_from("<H", library, 18)
            return [("Linux", {62: "x86_64", 183: "arm64"}.get(machine, f"ELF machine {machine}"))]
        if library[:4] == b"\xcf\xfa\xed\xfe":
            return [("Darwin", macos_machine(*struct.unpack_from("<I", library, 4)))]
        if library[:4] == b"\xca\xfe\xba\xbe":
            (parts,) = struct.unpack_from(">I", library, 4)
            kinds = [struct.unpack_from(">I", library, 8 + 20 * part) for part in range(parts)]
            return [("Darwin", macos_machine(*kind)) for kind in kinds]
    except struct.error:
        return []
    return []


def macos_machine(cpu_type: int) -> str:
    """Return the name of a Mach-O cputype (machine.h)."""
    return {0x0100000C: "arm64", 0x01000007: "x86_64"}.get(cpu_type, f"Mach-O processor {cpu_type:#x}")


# ------------------------------------------------------------------------------------------------------------
# Zip
# ------------------------------------------------------------------------------------------------------------


def merge(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of both; raise BuildError where they differ on what a file is."""
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            raise BuildError(f"two packages bring a file {name}; take one out of lambda/requirements.in")
    return {**one, **other}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of `files` that depends on their names and contents alone (and on the version of zlib)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=ENTRY_TIME)
            entry.create_system = 3  # Unix: otherwise the modes are not read
            entry.external_attr = ENTRY_MODE << 16
            archive.writestr(entry, files[name], compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def record_of(fingerprint: str, content: bytes) -> bytes:
    """Return what is kept beside a zip to recognise it later: what it was made from, and what it is."""
    record = {"inputs": fingerprint, "zip": hashlib.sha256(content).hexdigest()}
    return (json.dumps(record, indent=2) + "\n").encode()


def read_if_current(zip_path: Path, record_path: Path, fingerprint: str) -> bytes | None:
    """Return the zip's content if it was made from these inputs and is untouched since, else None."""
    try:
        content = zip_path.read_bytes()
        return content if record_path.read_bytes() == record_of(fingerprint, content) else None
    except OSError:
        return None


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step: whoever reads it sees all of the old or all of the new."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------
# Words
# ------------------------------------------------------------------------------------------------------------


def report_zip(report: Report, path: Path, content: bytes, state: str) -> None:
    """Say where the zip is, how large, and its SHA-256, also in base64 as Lambda shows it (CodeSha256)."""
    digest = hashlib.sha256(content)
    report(f"{shown(path)}: {len(content) / 1024:.0f} KiB, {state}")
    report(f"  SHA-256     {digest.hexdigest()}")
    report(f"  CodeSha256  {base64.b64encode(digest.digest()).decode()}")


def shown(path: Path) -> str:
    """Return `path` as a person in the current folder would write it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def refusals_of_the_disk(failure: str) -> Iterator[None]:
    """Turn an OSError into a BuildError that opens with `failure`."""
    try:
        yield
    except OSError as error:
        raise BuildError(
            f"{failure}: {error.strerror or error} ({error.filename}); check owner, permissions and space"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
