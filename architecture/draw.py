#!/usr/bin/env python3
"""Draw the architecture: write the pictures beside this file from what drawings/ says of them.

    python architecture/draw.py

It needs Python and nothing else. A test compares what it writes with what is checked in.
"""

import sys
from pathlib import Path

from drawings.pictures import PICTURES
from drawings.svg import draw

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Write every picture that is not as it should be, and say which; return the exit status."""
    for name, picture in PICTURES.items():
        path = FOLDER / name
        document = draw(picture)
        if path.exists() and path.read_text(encoding="utf-8") == document:
            print(f"{name} is up to date")
        else:
            path.write_text(document, encoding="utf-8")
            print(f"{name} is drawn anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
