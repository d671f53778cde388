"""The Cryptography module's hashes, of texts and files, with and without a key.

Nothing here protects the store: that is `storage.envelope`'s. AES with the product's undocumented layout of bytes is
not offered.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from .arguments import Arguments
from .fault import fault
from .files.encodings import encoded
from .files.file import read_whole, resolved
from .port import Outputs, Table, reads
from .session import Session

_ALGORITHMS: Final = ("SHA256", "SHA384", "SHA512")


def _algorithm(arguments: Arguments) -> str:
    named = arguments.text("HashAlgorithm", "SHA256").rsplit(".", 1)[-1].upper().removeprefix("HMAC")
    if named not in _ALGORITHMS:
        raise fault("Failed to hash text", f"'{named}' is no algorithm; these are: {', '.join(_ALGORITHMS)}.")
    return named.lower()


def _bytes(arguments: Arguments, text: str) -> bytes:
    named = arguments.text("Encoding", "Unicode").rsplit(".", 1)[-1]
    return encoded(text, "ascii" if named.casefold() == "ansi" else named, first=False)


def hash_text(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.HashText: hexadecimal digits."""
    return {
        "HashedText": hashlib.new(_algorithm(arguments), _bytes(arguments, arguments.text("TextToHash"))).hexdigest()
    }


def hash_text_with_key(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.HashTextWithKey: HMAC."""
    key = _bytes(arguments, arguments.text("HashKey"))
    return {
        "HashedText": hmac.new(key, _bytes(arguments, arguments.text("TextToHash")), _algorithm(arguments)).hexdigest()
    }


def hash_file(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.HashFromFile."""
    data = read_whole(resolved(arguments.get("FileToHash"), session), session, "Failed to hash file")
    return {"HashedText": hashlib.new(_algorithm(arguments), data).hexdigest()}


def hash_file_with_key(arguments: Arguments, session: Session) -> Outputs:
    """Cryptography.HashFromFileWithKey."""
    data = read_whole(resolved(arguments.get("FileToHash"), session), session, "Failed to hash file with key")
    return {
        "HashedText": hmac.new(_bytes(arguments, arguments.text("HashKey")), data, _algorithm(arguments)).hexdigest()
    }


TABLE: Table = {
    "Cryptography.HashText": reads(hash_text),
    "Cryptography.HashTextWithKey": reads(hash_text_with_key),
    "Cryptography.HashFromFile": reads(hash_file),
    "Cryptography.HashFromFileWithKey": reads(hash_file_with_key),
}
