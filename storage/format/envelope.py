"""All cryptography of Sealflow, each use with its reason. Nothing here does I/O, and nothing here can be configured.

A sealed record is

    0x57 | format | suite=1 | codec | kid[32] | nonce[12] | ciphertext | tag[16]

which adds 64 bytes. Suite 1 is AES-256-GCM, HKDF-Expand with SHA-512 and HMAC-SHA-256. In a chain, the link behind a
record of format 2 covers the whole record, and behind one of format 1 header, nonce and tag.

The primitives, and why these:

- AES-256-GCM: fast in hardware everywhere this runs, one pass. Nonces are random: with at most 2^31 seals a key, the
  chance that one repeats stays below 2^-34 (NIST SP 800-38D, 8.3 asks for 2^-32).
- HKDF-Expand (RFC 5869, 2.3) without Extract: every key that enters is 32 uniform random bytes already. One block of
  SHA-512 is 64 bytes, so one call yields both keys of a scope.
- A record names its key by `kid`, which is derived from the key itself. AES-GCM alone does not commit to its key;
  comparing the kid first does, and "try the next key" never happens.
- HMAC-SHA-256 links a run's pages, certifies key rows and makes blind indexes. A link covers the ciphertext: the holder
  of an AES-GCM key can give another plaintext with one free block the same nonce and tag, but finds no collision of
  SHA-256. So links bind the pages of an earlier key against the holder of that key.
- HPKE (RFC 9180) lets a locked environment take something in that it cannot read itself.
- Argon2id (RFC 9106, second recommended choice) stretches the keystore's passphrase.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from os import urandom
from typing import TYPE_CHECKING, Final, NoReturn
from weakref import WeakSet

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import EnvironmentLocked, IntegrityError, NotARecord, SealLimit, WrongKey

if TYPE_CHECKING:
    from hashlib import _Hash

    from cryptography.hazmat.primitives.hpke import Suite

MAGIC: Final = 0x57
FORMAT: Final = 1
LINKED_FORMAT: Final = 2  # of records in a chain: the link behind one covers its ciphertext
SUITE: Final = 1
CODEC: Final = 1  # the typed codec, uncompressed
REFERRING: Final = 2  # a list of values in that codec, which may refer to earlier ones: pages of runs
ZIPPED: Final = 3  # the same, compressed: pages of runs that keep no secrets
PIECE: Final = 4  # a piece of a large value, as it is
ZIPPED_PIECE: Final = 5  # the same, compressed: of runs that keep no secrets
KEY_BYTES: Final = 32
KID_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 4 + KID_BYTES
OVERHEAD: Final = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
MAX_SEALS: Final = 1 << 31
FIRST_LINK: Final = bytes(32)

_BODY: Final = HEADER_BYTES + NONCE_BYTES
_PRODUCT: Final = b"sealflow/1"
_SEQ_AND_VERSION: Final = struct.Struct(">IQIQ")
_HEADER_END: Final = 4 + HEADER_BYTES  # of a place, which begins with the header behind its length
_CODECS: Final = (CODEC, REFERRING, ZIPPED, PIECE, ZIPPED_PIECE)
_BEGINNINGS: Final = {
    (form, codec): HEADER_BYTES.to_bytes(4, "big") + bytes((MAGIC, form, SUITE, codec))
    for form in (FORMAT, LINKED_FORMAT)
    for codec in _CODECS
}


def lp(*parts: bytes) -> bytes:
    """The parts, each behind its length (4 bytes, big endian): no two lists of parts give the same bytes."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def number(value: int) -> bytes:
    """An integer as 8 bytes, big endian."""
    return value.to_bytes(8, "big")


def random_key() -> bytes:
    """32 random bytes from the operating system."""
    return urandom(KEY_BYTES)


def random_id() -> bytes:
    """16 random bytes: an identifier that nobody else makes."""
    return urandom(16)


def digest(data: bytes) -> bytes:
    """SHA-256: tells contents apart. It is stored inside sealed records only, since it would confirm a guess."""
    return hashlib.sha256(data).digest()


def running_digest() -> _Hash:
    """`digest` of what comes piece by piece."""
    return hashlib.sha256()


def expand(key: bytes, label: bytes, *context: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-Expand-SHA512, one block (at most 64 bytes), over label and context."""
    return hmac.digest(key, lp(_PRODUCT, label, *context) + b"\x01", "sha512")[:length]


_PURPOSES: Final = [lp(number(purpose)) for purpose in range(64)]


class _Secret:
    """Keys are not printed, pickled or copied by accident."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are not serialised")

    __copy__ = __reduce__

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("keys are not copied")


class _NoCipher:
    """Takes the place of a cipher that was dropped."""

    def encrypt(self, nonce: bytes, data: bytes, associated: bytes | None) -> bytes:
        raise _locked()

    decrypt = encrypt


_NO_CIPHER: Final = _NoCipher()


def _locked() -> EnvironmentLocked:
    return EnvironmentLocked("The environment is locked: its keys were dropped.")


class ScopeKey(_Secret):
    """Seals, opens and links the records of one thing that can be shredded: a run, a flow, a connection.

    `kid` certifies the key for this environment, kind and scope. Raises IntegrityError when it is not the expected one.
    """

    __slots__ = (
        "__weakref__", "_aead", "_link_key", "_rest", "domain", "environment", "kid", "scope", "seals",
    )  # fmt: skip

    def __init__(
        self, key: bytes, environment: bytes, kind: int, scope: bytes, expected: bytes | None = None, *, domain: int = 0
    ) -> None:
        self.kid = expand(key, b"kid", environment, number(kind), scope)
        if expected is not None and not same(self.kid, expected):
            raise IntegrityError("The key row belongs to another scope.")
        self.environment = environment
        self.scope = scope
        self.domain = domain  # of the environment key that wraps it; clear domain columns are only copies of this
        self.seals = 0
        both = expand(key, b"enc|chain", length=2 * KEY_BYTES)
        # One cipher object for each key: making one costs more than sealing 1 KiB with it.
        self._aead: AESGCM | _NoCipher = AESGCM(both[:KEY_BYTES])
        self._link_key = both[KEY_BYTES:]
        self._rest = self.kid + lp(environment)

    def forget(self) -> None:
        """From now on this key opens, seals and links nothing: EnvironmentLocked. Safe to call from another thread."""
        self._aead = _NO_CIPHER
        self._link_key = b""

    def place(self, purpose: int, record_id: bytes, codec: int = CODEC, form: int = FORMAT) -> bytes:
        """Return the associated data of all records of one purpose, id, codec and format; the header comes first."""
        size = len(record_id).to_bytes(4, "big")
        return _BEGINNINGS[form, codec] + self._rest + _PURPOSES[purpose] + size + record_id

    def seal(self, place: bytes, seq: int, row_version: int, plaintext: bytes) -> bytes:
        """A sealed record. Raises SealLimit after 2^31 records: those that this process has sealed, or those that the
        number of the record or of its version tells of, which both count from 1 and outlive the process.
        """
        self.seals = max(self.seals, seq, row_version) + 1
        if self.seals > MAX_SEALS:
            raise SealLimit("This scope key has sealed as many records as it may.")
        nonce = urandom(NONCE_BYTES)
        associated = place + _SEQ_AND_VERSION.pack(8, seq, 8, row_version)
        return place[4:_HEADER_END] + nonce + self._aead.encrypt(nonce, plaintext, associated)

    def seal_page(self, place: bytes, seq: int, plaintext: bytes, previous: bytes) -> tuple[bytes, bytes]:
        """As `seal`, of a record of format 2 without row version, with the `link` that it gives behind `previous`: in
        one go, since every step of every run needs both.
        """
        self.seals = seals = self.seals + 1
        if seals > MAX_SEALS:
            raise SealLimit("This scope key has sealed as many records as it may.")
        link_key = self._link_key  # before the cipher is asked, which a thread that forgets this key drops first
        nonce = urandom(NONCE_BYTES)
        body = place[4:_HEADER_END] + nonce
        sealed = self._aead.encrypt(nonce, plaintext, place + _SEQ_AND_VERSION.pack(8, seq, 8, 0))
        record = body + sealed
        return record, hmac.digest(link_key, previous + seq.to_bytes(8, "big") + record, "sha256")

    def open(self, place: bytes, seq: int, row_version: int, record: bytes) -> bytes:
        """The plaintext of a record. Raises NotARecord for anything that was not sealed for exactly this place by this
        key.
        """
        try:
            # The header holds format, suite, codec and kid: another key's record is refused before decrypting anything.
            ours = record[4:HEADER_BYTES] == self.kid  # whatever key the place was asked of
            if ours and len(record) >= OVERHEAD and hmac.compare_digest(record[:HEADER_BYTES], place[4:_HEADER_END]):
                associated = place + _SEQ_AND_VERSION.pack(8, seq, 8, row_version)
                return self._aead.decrypt(record[HEADER_BYTES:_BODY], record[_BODY:], associated)
        except (InvalidTag, TypeError, struct.error):  # the latter two: columns of another type, which SQLite allows
            raise NotARecord("A stored record was altered or moved.") from None
        raise NotARecord("A stored record is malformed or was sealed by another key.")

    def resealed(self, by: ScopeKey, purpose: int, record_id: bytes, record: bytes) -> bytes:
        """A record without `seq` and row version, sealed by another key for the same place. Raises NotARecord."""
        return by.seal(by.place(purpose, record_id), 0, 0, self.open(self.place(purpose, record_id), 0, 0, record))

    def names(self, record: bytes) -> bool:
        """Whether the record says that it was sealed by this key, which `open` proves."""
        return len(record) >= HEADER_BYTES and same(record[HEADER_BYTES - KID_BYTES : HEADER_BYTES], self.kid)

    def link(self, previous: bytes, seq: int, record: bytes) -> bytes:
        """The next link of a chain: binds this record to all before it.

        A record of format 1 is bound by header, nonce and tag: not against whoever holds this key.
        """
        if format_of(record) != LINKED_FORMAT:
            record = record[:_BODY] + record[-TAG_BYTES:]
        key = self._link_key
        if not key:
            raise _locked()
        return hmac.digest(key, previous + seq.to_bytes(8, "big") + record, "sha256")


def _members(given: WeakSet[ScopeKey]) -> list[ScopeKey]:
    """The keys of a set that another thread may be adding to."""
    while True:
        try:
            return list(given)
        except RuntimeError:  # its size changed meanwhile
            continue


def codec_of(record: bytes) -> int:
    """The codec that a record says its plaintext is in; 0 for what is no record. Opening it proves that."""
    return record[3] if isinstance(record, bytes) and len(record) >= HEADER_BYTES else 0


def format_of(record: bytes) -> int:
    """The format that a record says it has; 0 for what is no record. Opening it proves that."""
    return record[1] if isinstance(record, bytes) and len(record) >= HEADER_BYTES else 0


def kid_of(record: bytes) -> bytes:
    """The id of the key that a record says it was sealed by: to choose among the keys of one scope."""
    return record[4:HEADER_BYTES]


class EnvironmentKey(_Secret):
    """An environment's key (EK) of one domain and version. It is never used itself, only through HKDF.

    `role` says whether it is that of a control store or of an environment.
    """

    __slots__ = (
        "_given", "_index", "_key", "_mac", "_wrap", "_wrapping", "domain", "environment", "kid", "role", "version",
    )  # fmt: skip

    def __init__(self, key: bytes, environment: bytes, role: int, domain: int, version: int) -> None:
        self.environment = environment
        self.role = role
        self.domain = domain
        self.version = version
        self.kid = expand(key, b"environment kid", environment, number(role), number(domain), number(version))
        self._key: bytes | None = key  # needed to wrap it anew when the key above it changes
        self._wrapping = lp(b"scope key", environment, number(domain), number(version))
        self._given: WeakSet[ScopeKey] = WeakSet()
        self._wrap: AESGCM | _NoCipher = AESGCM(expand(key, b"wrap"))
        self._index = expand(key, b"index")
        self._mac = expand(key, b"mac")

    def new_scope(self, kind: int, scope: bytes, generation: int = 1) -> tuple[ScopeKey, bytes]:
        """A fresh random scope key and its wrapped form (60 bytes). Random, since what can be derived again cannot be
        shredded.
        """
        key = random_key()
        scope_key = ScopeKey(key, self.environment, kind, scope, domain=self.domain)
        self._give(scope_key)
        nonce = urandom(NONCE_BYTES)
        context = self._wrap_context(kind, scope, generation, scope_key.kid)
        return scope_key, nonce + self._wrap.encrypt(nonce, key, context)

    def open_scope(self, kind: int, scope: bytes, generation: int, kid: bytes, wrapped: bytes) -> ScopeKey:
        """The scope key of a key row. Raises IntegrityError for a row that was altered or moved."""
        key = self._unwrap(kind, scope, generation, kid, wrapped)
        scope_key = ScopeKey(key, self.environment, kind, scope, expected=kid, domain=self.domain)
        self._give(scope_key)
        return scope_key

    def _give(self, scope_key: ScopeKey) -> None:
        self._given.add(scope_key)
        if self._key is None:  # forgotten by another thread meanwhile: after this check, `forget` finds it
            scope_key.forget()
            raise _locked()

    def rewrap_scope(
        self, kind: int, scope: bytes, generation: int, kid: bytes, wrapped: bytes, by: EnvironmentKey
    ) -> bytes:
        """The same scope key, wrapped by another environment key. Raises as `open_scope`."""
        key = self._unwrap(kind, scope, generation, kid, wrapped)
        nonce = urandom(NONCE_BYTES)
        return nonce + by._wrap.encrypt(nonce, key, by._wrap_context(kind, scope, generation, kid))

    def _unwrap(self, kind: int, scope: bytes, generation: int, kid: bytes, wrapped: bytes) -> bytes:
        try:
            context = self._wrap_context(kind, scope, generation, kid)
            return self._wrap.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError, TypeError, OverflowError):
            raise IntegrityError("A key row was altered or moved.") from None

    def payload(self) -> bytes:
        """What a key-encryption key wraps, to have it wrapped anew. Raises EnvironmentLocked after `forget`."""
        if self._key is None:
            raise _locked()
        return environment_key_payload(self._key, self.environment, self.role, self.domain, self.version)

    def take_over(self, other: EnvironmentKey) -> None:
        """From now on `forget` drops what the other one gave out as well."""
        self._given.update(_members(other._given))

    def forget(self) -> None:
        """Drop this key and every scope key that it gave out. Safe to call from another thread."""
        self._key = None  # first: no scope key is given out afterwards
        self._wrap = _NO_CIPHER
        self._index = self._mac = b""
        for scope_key in _members(self._given):
            scope_key.forget()

    def _wrap_context(self, kind: int, scope: bytes, generation: int, kid: bytes) -> bytes:
        # Every column of the row: one that was changed opens nothing, whatever it is used for some day.
        return self._wrapping + lp(number(kind), number(generation), scope, kid)

    def index(self, column: int, value: bytes, version: int = 1) -> bytes:
        """A blind index: equal values give equal bytes, and nobody without the key can tell which. 16 bytes."""
        if not self._index:
            raise _locked()
        key = expand(self._index, b"column", number(column), number(version))
        return hmac.digest(key, value, "sha256")[:16]

    def certify(self, label: bytes, *fields: bytes) -> bytes:
        """A MAC over a row that is not sealed itself, so that a database writer cannot plant one."""
        if not self._mac:
            raise _locked()
        return hmac.digest(self._mac, lp(label, self.environment, *fields), "sha256")


class InboxKey(_Secret):
    """A key pair: whoever has its public half seals to it, and only who has the private half opens. HPKE (RFC 9180),
    base mode, with X25519, HKDF-SHA256 and AES-256-GCM. It says nothing about who sealed: a MAC beside it does.
    """

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes | None = None) -> None:
        key = X25519PrivateKey.generate() if private is None else X25519PrivateKey.from_private_bytes(private)
        self._private = key
        self.public = key.public_key().public_bytes_raw()

    def private_bytes(self) -> bytes:
        """To be sealed, and nothing else."""
        return self._private.private_bytes_raw()

    def open(self, sealed: bytes, *context: bytes) -> bytes:
        """Raises NotARecord for what was not sealed to this key for this context."""
        try:
            return _hpke().decrypt(sealed, self._private, info=lp(_PRODUCT, *context))
        except (InvalidTag, ValueError, TypeError):
            raise NotARecord("An item was not sealed to this key, or was altered.") from None


def seal_to(public: bytes, plaintext: bytes, *context: bytes) -> bytes:
    """The plaintext, sealed to an `InboxKey` for a context. Raises IntegrityError for what is no public key."""
    try:
        return _hpke().encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info=lp(_PRODUCT, *context))
    except (ValueError, TypeError):
        raise IntegrityError("The stored public key is none.") from None


def _hpke() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite  # needed while an environment is locked

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class KeyEncryptionKey(_Secret):
    """The key (KEK) at the top, as the service's keystore holds it. It wraps environment keys and nothing else."""

    __slots__ = ("_aead", "_mac", "kid")

    def __init__(self, key: bytes) -> None:
        self.kid = expand(key, b"kek kid", length=16)
        self._mac = expand(key, b"kek mac")
        self._aead = AESGCM(expand(key, b"kek wrap"))

    def wrap(self, context: bytes, payload: bytes) -> bytes:
        nonce = urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, payload, lp(b"kek", context))

    def unwrap(self, context: bytes, wrapped: bytes) -> bytes:
        try:
            return self._aead.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], lp(b"kek", context))
        except (InvalidTag, ValueError, TypeError):
            raise IntegrityError("The wrapped environment key was altered or moved.") from None

    def certify(self, label: bytes, *fields: bytes) -> bytes:
        """A MAC over what is said of this key beside it, so that a writer of its file cannot enable it again."""
        return hmac.digest(self._mac, lp(label, *fields), "sha256")


_EK_LABEL: Final = b"sealflow environment key"


def environment_key_payload(key: bytes, environment: bytes, role: int, domain: int, version: int) -> bytes:
    """What a KEK wraps: the key with its purpose, because wrapping proves nothing about who wrapped or why."""
    return lp(_EK_LABEL, environment, number(role), number(domain), number(version), key)


def environment_key_of(payload: bytes, environment: bytes, role: int, domain: int, version: int) -> EnvironmentKey:
    """The environment key of an unwrapped payload. Raises IntegrityError when it was wrapped for something else."""
    key = payload[-KEY_BYTES:]
    if not hmac.compare_digest(payload, environment_key_payload(key, environment, role, domain, version)):
        raise IntegrityError("The wrapped environment key was made for another place.")
    return EnvironmentKey(key, environment, role, domain, version)


def same(left: bytes, right: bytes) -> bool:
    """Equality in constant time, for MACs and links. What is no bytes is not equal: a column may hold another type."""
    return isinstance(left, bytes) and isinstance(right, bytes) and hmac.compare_digest(left, right)


def same_or_neither(left: bytes | None, right: bytes | None) -> bool:
    """As `same`, where both may be missing."""
    return right is None if left is None else same(left, right or b"")


# --- the keystore's passphrase

ARGON2_TIME: Final = 3
ARGON2_MEMORY_KIB: Final = 64 * 1024
ARGON2_LANES: Final = 4
SALT_BYTES: Final = 16


class PassphraseKey(_Secret):
    """Seals a whole keystore under a key that Argon2id makes of a passphrase and a random salt in about 0.1 s."""

    __slots__ = ("_aead", "commitment", "salt")

    def __init__(self, passphrase: str, salt: bytes | None = None) -> None:
        from argon2.low_level import Type, hash_secret_raw  # needed by few, and slow to import

        self.salt = urandom(SALT_BYTES) if salt is None else salt
        secret = passphrase.encode("utf-8", "surrogatepass")
        key = hash_secret_raw(secret, self.salt, ARGON2_TIME, ARGON2_MEMORY_KIB, ARGON2_LANES, KEY_BYTES, Type.ID)
        self._aead = AESGCM(expand(key, b"passphrase"))
        # AES-GCM alone lets one file open under two passphrases: the file names the key, and is compared first.
        self.commitment = expand(key, b"passphrase commitment")

    def seal(self, plaintext: bytes) -> bytes:
        nonce = urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, lp(b"keystore", self.salt))

    def open(self, sealed: bytes, commitment: bytes | None) -> bytes:
        """The content of a file that names this key; `commitment` is None for one of before there were commitments.
        Raises WrongKey: a wrong passphrase and an altered file cannot be told apart.
        """
        try:
            if commitment is not None and not same(commitment, self.commitment):
                raise ValueError
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], lp(b"keystore", self.salt))
        except (InvalidTag, ValueError):
            raise does_not_open() from None


def does_not_open() -> WrongKey:
    """The one answer for a wrong passphrase and for an altered file."""
    return WrongKey(
        "The passphrase does not open the keystore, or the file is damaged.",
        hint="Check SEALFLOW_PASSPHRASE, or restore the file from its backup.",
    )
