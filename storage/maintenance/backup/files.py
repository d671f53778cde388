"""The two files of a backup: written, read, and compared with what they say of each other.

    FILE        zip: manifest.json, store.db    what is sealed; useless without the other
    FILE.keys   zip: manifest.json, keys.db     the wrapped keys; to be destroyed when the backup expires

Both manifests carry a format, the backup's id and the digest of their database; that of the keys also the other one's
digest and a MAC by the environment's service key, so that parts cannot be exchanged.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from ...errors import InvalidBackup, RecordNotFound
from ...files import os_error, sync_folder
from ...format.envelope import lp, number
from ...keys.keyring import Keyring
from ...vault.backup_register import Backup

_FORMAT: Final = 1
DATA: Final = ("sealflow backup", "store.db")
KEYS: Final = ("sealflow backup keys", "keys.db")
_MANIFEST: Final = "manifest.json"
_MOST_MANIFEST: Final = 64 * 1024


def keys_file(file: Path) -> Path:
    """Where the keys of a backup are."""
    return file.with_name(f"{file.name}.keys")


async def unpacked(file: Path, at: Path) -> dict[str, Any]:
    """Unpacks both parts into a folder, and gives the manifest of the keys. Raises InvalidBackup, RecordNotFound."""
    data = await asyncio.to_thread(_read, file, DATA, at)
    keys = await asyncio.to_thread(_read, keys_file(file), KEYS, at)
    if (keys["backup"], keys["environment"], keys["data"]) != (data["backup"], data["environment"], data["digest"]):
        raise InvalidBackup(f"{keys_file(file)} belongs to another backup.")
    return keys


def write_both(file: Path, copy: Path, keys: Path, backup: Backup, keyring: Keyring) -> None:
    manifest: dict[str, Any] = {
        "format": DATA[0],
        "version": _FORMAT,
        "backup": backup.id.hex(),
        "environment": backup.environment.hex(),
        "created": backup.created_ms,
        "digest": backup.digests[0].hex(),
    }
    _write(file, copy, manifest)
    manifest |= {
        "format": KEYS[0],
        "data": manifest["digest"],
        "digest": backup.digests[1].hex(),
        "expires": backup.expires_ms,
    }
    _write(keys_file(file), keys, {**manifest, "mac": mac_of(keyring, manifest).hex()})


def mac_of(keyring: Keyring, manifest: dict[str, Any]) -> bytes:
    ids = [bytes.fromhex(manifest[name]) for name in ("backup", "environment", "data", "digest")]
    expires = b"" if manifest["expires"] is None else number(manifest["expires"])
    return keyring.certify(b"backup", lp(*ids, number(manifest["created"]), expires))


def _write(path: Path, content: Path, manifest: dict[str, Any]) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
                archive.write(content, content.name)
            out.flush()
            os.fsync(out.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise os_error(error, path, "backup") from error


def _read(path: Path, kind: tuple[str, str], folder: Path) -> dict[str, Any]:
    """Unpacks one part and gives its manifest. Raises InvalidBackup, RecordNotFound."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: dict[str, Any] = json.loads(read_manifest(archive))
            if archive.getinfo(kind[1]).compress_type != zipfile.ZIP_STORED:  # as it is written: nothing unfolds
                raise ValueError("the content is compressed")
            archive.extract(kind[1], folder)
        bytes.fromhex(manifest["environment"])
    except FileNotFoundError as error:
        raise RecordNotFound(f"'{path}' is not there.", hint="A backup is FILE, with its keys in FILE.keys.") from error
    except OSError as error:
        raise InvalidBackup(f"{path} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise InvalidBackup(f"{path} is no backup, or it was damaged.") from error
    if manifest.get("format") != kind[0]:
        raise InvalidBackup(f"{path} is not what it should be: a file of the format '{kind[0]}'.")
    if manifest.get("version") != _FORMAT:
        raise InvalidBackup(f"{path} has version {manifest.get('version')}; this Sealflow knows {_FORMAT}.")
    if digest(folder / kind[1]).hex() != manifest.get("digest"):
        raise InvalidBackup(f"{path} was damaged: its content is not what its manifest says.")
    return manifest


def read_manifest(archive: zipfile.ZipFile) -> bytes:
    """The manifest of a backup's part. Raises ValueError for one that is compressed or too long, as none is written."""
    entry = archive.getinfo(_MANIFEST)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > _MOST_MANIFEST:
        raise ValueError("the manifest is compressed, or too long")
    return archive.read(entry)


def digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@asynccontextmanager
async def scratch_folder(file: Path) -> AsyncIterator[Path]:
    """A folder of its owner only, beside the file, for the time of one act."""
    try:
        made = tempfile.TemporaryDirectory(dir=file.parent, prefix=".sealflow-backup-")
    except OSError as error:
        raise os_error(error, file, "backup") from error
    with made as folder:
        yield Path(folder)
