#!/usr/bin/env python3
"""Draw the architecture diagrams beside this file from their descriptions in drawings/.

    python architecture/draw.py

It needs only Python. A test compares the result with the checked-in files.
"""

import sys
from pathlib import Path

from drawings.pictures import PICTURES
from drawings.svg import draw

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Write each diagram that is out of date and print its name."""
    for name, picture in PICTURES.items():
        path = FOLDER / name
        document = draw(picture)
        if path.exists() and path.read_text(encoding="utf-8") == document:
            print(f"{name} is up to date")
        else:
            path.write_text(document, encoding="utf-8")
            print(f"{name} is updated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
