"""The names of errors: what a handler's section is headed with, made from what the designer shows.

Source: published scripts head sections with FileNotFoundError, EnvironmentVariableNotFoundError and TimeoutError, whose
display names are "File not found", "Environment variable doesn't exist" and "Timeout error". The first and the third
follow from their words; the second is in the table of exceptions below. All others are made by the same rule.
"""

from __future__ import annotations

import re
from typing import Final

_KNOWN: Final = {"environment variable doesn't exist": "EnvironmentVariableNotFoundError"}


def error_id(shown: str) -> str:
    """The name of an error by its display name: its words joined, each with a capital, and `Error` at the end.

    Apostrophes are dropped ("Can't copy file" is CantCopyFileError), and so are the brackets of a plural ("value(s)" is
    Values); whatever else is no letter or digit parts words.
    """
    known = _KNOWN.get(shown.lower())
    if known is not None:
        return known
    words = re.findall(r"[^\W_]+", re.sub(r"['\u2019]|\((?=e?s\))|(?<=s)\)", "", shown))
    if not words or words[-1].lower() != "error":
        words.append("Error")
    return "".join(word[0].upper() + word[1:] for word in words)
