"""Build the Lambda zip for one target: the package `orders` and its pinned libraries. No container is needed.

`make build` writes dist/orders-arm64.zip, which AWS runs by default. `make run` uses dist/orders-local.zip.
The same inputs give the same bytes with the same version of zlib, so an unchanged function is not deployed again.
"""

import argparse
import base64
import hashlib
import io
import json
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
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

REPOSITORY = Path(__file__).resolve().parents[1]

TARGET_NAMES = ("arm64", "x86_64", "local")

# The runtime that terraform-backend/ and cloudformation/ declare.
LAMBDA_PYTHON = "3.13"

# python3.13 runs on Amazon Linux 2023 with glibc 2.34, which loads wheels for it or older. CPython 3.13 wheels are
# built for glibc 2.17 (manylinux2014) or newer (PEP 599, PEP 600).
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, https://docs.aws.amazon.com/linux/al2023/
LAMBDA_GLIBC_MINORS = range(34, 16, -1)

# The names of processors in wheels and in ELF headers (elf.h), by Lambda's name.
WHEEL_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
ELF_MACHINES = {183: "arm64", 62: "x86_64"}
LAMBDA_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}

# A zip without one of these could be deployed but would fail at its first invocation.
HANDLERS = ("submission", "processing", "status", "notification")
REQUIRED_SOURCES = ("orders/order.schema.json", *(f"orders/handlers/{name}.py" for name in HANDLERS))

# No invocation reads these. Licenses stay because they require it, METADATA and SBOMs because scanners read them.
UNSHIPPED_SUFFIXES = {".pyc", ".pyi", ".pyo"}
UNSHIPPED_NAMES = {"__pycache__", "benchmarks", "bin", "tests", "INSTALLER", "RECORD", "REQUESTED", "WHEEL"}
UNSHIPPED_NAMES |= {"direct_url.json", "entry_points.txt", "py.typed", "top_level.txt"}


class BuildError(Exception):
    """The zip cannot be built; the text says why and what to do."""


@dataclass(frozen=True)
class Target:
    """The machine that runs the zip: `system` as in `platform.system()`, `machine` as Lambda names it."""

    name: str
    system: str
    machine: str
    python: str

    @property
    def description(self) -> str:
        """Text such as "Linux on arm64, Python 3.13"."""
        return f"{'macOS' if self.system == 'Darwin' else self.system} on {self.machine}, Python {self.python}"

    @property
    def pip_options(self) -> list[str]:
        """The options that make pip choose wheels for the target; none for this machine."""
        if self.name == "local":
            return []
        machine = WHEEL_MACHINES[self.machine]
        tags = [f"manylinux_2_{minor}_{machine}" for minor in LAMBDA_GLIBC_MINORS] + [f"manylinux2014_{machine}"]
        options = ["--implementation=cp", f"--python-version={self.python}", f"--abi=cp{self.python.replace('.', '')}"]
        return [*options, *(f"--platform={tag}" for tag in tags)]

    @property
    def markers(self) -> dict[str, str]:
        """The environment markers (PEP 508) in which the target differs from this machine."""
        if self.name == "local":
            return {}
        python = {"python_full_version": f"{self.python}.0", "python_version": self.python}
        return {
            **python,
            "platform_machine": WHEEL_MACHINES[self.machine],
            "platform_system": "Linux",
            "sys_platform": "linux",
        }


def build(target_name: str, root: Path = REPOSITORY, report: Callable[[str], None] = print) -> Path:
    """Update `root`/dist/orders-<target>.zip and return its path.

    Concurrent builds are safe: each writes its own file and moves it into place. If the build fails, it raises
    BuildError and keeps the previous zip.
    """
    try:
        return _build(target_named(target_name), root, report)
    except OSError as error:
        reason = f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}"
        raise BuildError(f"{reason}. Check permissions and free space") from error


def _build(target: Target, root: Path, report: Callable[[str], None]) -> Path:
    started = time.monotonic()
    sources = read_sources(root)
    lock = read_file(root / "lambda" / "requirements.txt", root)
    zip_path = root / "dist" / f"orders-{target.name}.zip"
    record_path = zip_path.with_suffix(".inputs")
    record, content = read_previous(zip_path, record_path)
    inputs = {"inputs": fingerprint_of(target, lock, sources), "libraries": fingerprint_of(target, lock, {})}
    state = "up to date"
    if record.get("inputs") != inputs["inputs"]:
        if record.get("libraries") == inputs["libraries"]:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                libraries = {name: archive.read(name) for name in archive.namelist() if not name.startswith("orders/")}
        else:
            libraries = fetch_libraries(target, lock.decode(), report)
            require_machine_code_of(target, libraries)
        content = pack({**libraries, **sources})
        # The template includes the key `zip` (docs/decisions/0003).
        record = {**inputs, "zip": hashlib.sha256(content).hexdigest()}
        zip_path.parent.mkdir(exist_ok=True)
        replace(zip_path, content)
        # Write the record last: after an interruption it does not match, and the next run builds again.
        replace(record_path, (json.dumps(record, indent=2) + "\n").encode())
        state = f"built in {time.monotonic() - started:.1f} s"
    report(f"{os.path.relpath(zip_path)}: {len(content) / 1024:.0f} KiB, {state}")
    report(f"  SHA-256     {record['zip']}")
    report(f"  CodeSha256  {base64.b64encode(bytes.fromhex(record['zip'])).decode()}")
    return zip_path


def target_named(name: str) -> Target:
    """Return the target called `name`; raise BuildError if this machine cannot be the local one."""
    if name != "local":
        return Target(name, "Linux", name, LAMBDA_PYTHON)
    machine = LAMBDA_MACHINES.get(platform.machine().lower())
    if platform.system() not in {"Linux", "Darwin"} or machine is None:
        found = f"{platform.system()} on {platform.machine()}"
        advice = "Build for AWS with --target arm64, or work in WSL or a virtual machine"
        raise BuildError(f"the local target is for Linux and macOS on arm64 or x86_64, not {found}. {advice}")
    return Target("local", platform.system(), machine, platform.python_version())


def read_sources(root: Path) -> dict[str, bytes]:
    """Return the content of every file of the package `orders` that ships, by its name in the zip."""
    sources = root / "lambda"
    names = {
        path.relative_to(sources).as_posix()
        for path in (sources / "orders").rglob("*")
        if path.suffix in {".py", ".json"}
        and path.is_file()
        and not any(part in UNSHIPPED_NAMES or part.startswith(".") for part in path.relative_to(sources).parts)
    }
    return {name: read_file(sources / name, root) for name in sorted(names.union(REQUIRED_SOURCES))}


def read_file(path: Path, root: Path) -> bytes:
    """Return the content of a file of the repository; raise BuildError if it is missing."""
    if not path.is_file():
        name = path.relative_to(root).as_posix()
        raise BuildError(f"{name} is missing. Restore it with: git checkout -- {name}")
    return path.read_bytes()


def fingerprint_of(target: Target, lock: bytes, sources: Mapping[str, bytes]) -> str:
    """Return a SHA-256 of everything the zip depends on: target, lock, package and this program."""
    builder = Path(__file__).read_bytes()
    inputs = {"target": json.dumps(asdict(target)).encode(), "lock": lock, "builder": builder, **sources}
    digest = hashlib.sha256()
    for name, content in sorted(inputs.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def requirements_for(target: Target, lock: str) -> list[str]:
    """Return the pins of the lock that apply to `target`, with hashes and without markers.

    pip evaluates markers for the interpreter that runs it, not for the target platform.
    """
    applying = []
    for statement in re.sub(r"\\\n", " ", re.sub(r"(?m)(^|\s)#.*$", "", lock)).splitlines():
        pin, *hashes = re.split(r"\s+(?=--hash=)", statement.strip())
        if not pin:
            continue
        try:
            requirement = Requirement(pin)
        except InvalidRequirement as error:
            raise BuildError(f"lambda/requirements.txt has an invalid line: {pin}. Run `make lock`") from error
        if requirement.marker is None or requirement.marker.evaluate(target.markers):
            applying.append(" ".join([f"{requirement.name}{requirement.specifier}", *hashes]))
    return applying


def fetch_libraries(target: Target, lock: str, report: Callable[[str], None]) -> dict[str, bytes]:
    """Let pip install the locked wheels for `target`; return their files that ship, by name in the zip."""
    requirements = requirements_for(target, lock)
    report(f"fetching libraries for {target.description}: {', '.join(line.split()[0] for line in requirements)}")
    with tempfile.TemporaryDirectory(prefix="build-lambda-") as scratch:
        libraries, pins = Path(scratch, "libraries"), Path(scratch, "requirements.txt")
        pins.write_text("\n".join(requirements), encoding="utf-8")
        # -I: import nothing from the current folder or from PYTHONPATH.
        command = [sys.executable, "-I", "-m", "pip", "install", "--target", str(libraries), "--requirement", str(pins)]
        command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--quiet", "--no-color"]
        command += ["--no-input", "--disable-pip-version-check", "--no-warn-conflicts", *target.pip_options]
        # pip's temporary files are removed with the directory, even when pip is stopped.
        elsewhere = ("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER")
        environment = {name: value for name, value in os.environ.items() if name not in elsewhere} | {"TMPDIR": scratch}
        pip = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if pip.returncode != 0:
            raise BuildError(pip_failure(pip.stderr, target))
        return {
            file.relative_to(libraries).as_posix(): file.read_bytes()
            for file in libraries.rglob("*")
            if file.is_file()
            and file.suffix not in UNSHIPPED_SUFFIXES
            and not UNSHIPPED_NAMES.intersection(file.relative_to(libraries).parts)
        }


def pip_failure(output: str, target: Target) -> str:
    """Return the reason why pip failed, and what to do."""
    if re.search(r"Retrying \(|ConnectionError|SSLError", output):
        return "the package index cannot be reached. Check the network and `pip config list`, and run this again"
    if "DO NOT MATCH THE HASHES" in output:
        reason = "a downloaded library is not the one that lambda/requirements.txt pins: its hash differs"
        return f"{reason}. Run `pip cache purge` and this again. Do not use an index that keeps serving it"
    if missing := re.search(r"No matching distribution found for (\S+)", output):
        advice = "pin a version that has one in lambda/requirements.in and run `make lock`"
        reason = f"pip finds no wheel of {missing[1]} for {target.description}"
        return f"{reason}. Check the indexes in `pip config list`, or {advice}"
    errors = re.findall(r"(?m)^ERROR: (.+)$", output) or output.strip().splitlines() or ["no output"]
    return f"pip cannot install the libraries: {errors[-1].rstrip('.')}. Fix this and run it again"


def require_machine_code_of(target: Target, files: Mapping[str, bytes]) -> None:
    """Raise BuildError if a native library cannot be loaded on `target`, according to its ELF header.

    A wheel's name may claim a wrong platform. Such a library would fail at the first invocation.
    """
    for name, content in files.items():
        if target.system != "Linux" or not (re.search(r"\.so(\.[\d.]+)?$", name) or content[:4] == b"\x7fELF"):
            continue
        is_elf = content[:6] == b"\x7fELF\x02\x01" and len(content) > 20  # 64 bits, little-endian
        machine = ELF_MACHINES.get(*struct.unpack_from("<H", content, 18)) if is_elf else None
        if machine != target.machine:
            reason = f"is built for {machine or 'an unknown platform'}, but the zip is for {target.machine}"
            advice = "its wheel is mislabelled. Pin another version in lambda/requirements.in and run `make lock`"
            raise BuildError(f"the library {name} {reason}: {advice}")


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip that depends only on the names and contents of `files`, and on the version of zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the mode is read
            entry.external_attr = 0o100644 << 16  # readable by all: the functions' user does not own the files
            archive.writestr(entry, files[name], compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def read_previous(zip_path: Path, record_path: Path) -> tuple[dict[str, str], bytes]:
    """Return the record and the zip of the previous build; an empty record unless they belong together."""
    try:
        content, record = zip_path.read_bytes(), json.loads(record_path.read_bytes())
        return (record, content) if record["zip"] == hashlib.sha256(content).hexdigest() else ({}, b"")
    except (OSError, ValueError, KeyError, TypeError):
        return {}, b""


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader gets either the old or the new content."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="build_lambda.py",
        description="Build dist/orders-TARGET.zip. Does nothing while the zip is up to date.",
        epilog="pip downloads the libraries with its own settings, such as PIP_INDEX_URL.",
    )
    help_text = f"arm64 or x86_64: Lambda's python{LAMBDA_PYTHON}; local: this machine (default: %(default)s)"
    parser.add_argument("--target", choices=TARGET_NAMES, default="arm64", help=help_text)
    target = parser.parse_args(arguments).target
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # removes temporary files
    try:
        build(target)
    except BuildError as error:
        print(f"build_lambda: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build_lambda: stopped. The previous zip is unchanged.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
