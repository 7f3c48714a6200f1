"""The access key of the emulator's root user: random, and the same for a directory as long as its file exists."""

import json
import os
import secrets
from pathlib import Path

from local_stack.aws import Credentials
from local_stack.errors import LocalStackError

FILE_NAME = "access-key.json"


def new_credentials() -> Credentials:
    """Return credentials that nobody can guess; the key id starts as none of AWS's own does."""
    return Credentials(f"LOCAL{secrets.token_hex(10).upper()}", secrets.token_urlsafe(30))


def kept_credentials(directory: Path) -> Credentials:
    """Return the credentials kept in `directory`; make both at the first call, for the owner's eyes only."""
    make_private(directory)
    path = directory / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Credentials(document["access_key_id"], document["secret_access_key"])
    except FileNotFoundError:
        credentials = new_credentials()
    except (ValueError, KeyError, TypeError) as error:
        raise LocalStackError(f"{path} is damaged: delete it, and start again with a new access key.") from error
    write_private(path, json.dumps(description_of(credentials)) + "\n")
    return credentials


def description_of(credentials: Credentials) -> dict[str, str]:
    """Return the credentials by the names that stack.json gives them."""
    return {"access_key_id": credentials.access_key, "secret_access_key": credentials.secret_key}


def make_private(directory: Path) -> None:
    """Make `directory` if it is missing; let only its owner use it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader sees the whole file or none."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(unfinished, path)
