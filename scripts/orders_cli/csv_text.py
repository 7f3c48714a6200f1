"""CSV that a spreadsheet shows and never executes."""

import csv
import io
from collections.abc import Sequence

# What a spreadsheet may take for the beginning of a formula, also in full width.
# Source: https://owasp.org/www-community/attacks/CSV_Injection
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_line(fields: Sequence[object]) -> str:
    """Return one record, its end included, every field in quotation marks.

    A field that a spreadsheet could take for a formula gets an apostrophe in front, which makes it text.
    """
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([_harmless(str(field)) for field in fields])
    return line.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_DANGEROUS) else text
