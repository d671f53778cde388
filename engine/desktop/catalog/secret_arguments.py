"""Which arguments of actions are secrets by what they are for, whatever variable they come from. Names only.

The designer keeps what is typed into such a field encrypted (the data type Encryptable); a run's history does not show
what they were.
"""

from __future__ import annotations

import re
from typing import Final

_SECRET: Final = re.compile(
    r"(\w*pass(word|words|phrase|code)|\w*secret|hashkey|(en|de)cryptionkey|\w*privatekey|\w*accesskey|accesskeyid"
    r"|\w*apikey|\w*token|\w*connectionstring|\w*credentials?)",
    re.IGNORECASE,
)


def is_secret(argument: str) -> bool:
    """Whether an argument of this name holds a password, a key, or a text that may have one inside."""
    return _SECRET.fullmatch(argument.lstrip("@")) is not None
