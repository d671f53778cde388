"""Known answers of formats 1 and 2: built here by hand from hashlib, hmac and plain AES-GCM, not by the envelope."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sealflow.storage import NotARecord
from sealflow.storage.format import codec, envelope
from sealflow.storage.format.compression import unzipped
from sealflow.storage.format.purposes import Domain, Index, Kind, Purpose, Role
from sealflow.storage.format.references import Referrer, Resolver
from sealflow.storage.format.stored_values import TEXT, StoredValue
from sealflow.storage.stores.runs.value_writing import chunk_row

VECTORS = Path(__file__).resolve().parents[1] / "vectors"

KEY = bytes(range(32))
NONCE = bytes(range(0xA0, 0xAC))
ENVIRONMENT = bytes(range(0x10, 0x20))
RUN = bytes(range(0x20, 0x30))


def lp(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def n(value: int) -> bytes:
    return value.to_bytes(8, "big")


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2.3, first block."""
    return hmac.new(key, info + b"\x01", hashlib.sha512).digest()[:length]


def record_vectors(form: int = 1) -> list[dict[str, Any]]:
    """Sealed records and the link behind each, by hand. In format 2 the link covers the whole record."""
    kid = hkdf_expand(KEY, lp(b"sealflow/1", b"kid", ENVIRONMENT, n(1), RUN), 32)
    both = hkdf_expand(KEY, lp(b"sealflow/1", b"enc|chain"), 64)
    header = bytes([0x57, form, 1, 1]) + kid
    vectors = []
    previous = bytes(32)
    cases = [(1, 1, 0, b""), (1, 2, 0, b"\x91\x92\x01\xa1x"), (2, 0, 7, bytes(100)), (8, 1 << 40, 3, b"x" * 65536)]
    for purpose, seq, row_version, plaintext in cases:
        associated = lp(header, ENVIRONMENT, n(purpose), RUN, n(seq), n(row_version))
        record = header + NONCE + AESGCM(both[:32]).encrypt(NONCE, plaintext, associated)
        message = previous + n(seq) + (record[:48] + record[-16:] if form == 1 else record)
        link = hmac.new(both[32:], message, hashlib.sha256).digest()
        vectors.append(
            {
                "scope_key": KEY.hex(),
                "environment": ENVIRONMENT.hex(),
                "kind": 1,
                "scope": RUN.hex(),
                "kid": kid.hex(),
                "purpose": purpose,
                "record_id": RUN.hex(),
                "seq": seq,
                "row_version": row_version,
                "nonce": NONCE.hex(),
                "plaintext": plaintext.hex() if len(plaintext) <= 100 else f"{plaintext[:1].hex()}*{len(plaintext)}",
                "record": record.hex() if len(plaintext) <= 100 else None,
                "record_sha256": hashlib.sha256(record).hexdigest(),
                "previous_link": previous.hex(),
                "link": link.hex(),
            }
        )
        previous = link
    return vectors


def page_vector(*, crc: bool = False) -> dict[str, Any]:
    """A page of codec 2, by hand: the second record refers to the first one's value, with a digest of the record or, as
    it was before, its CRC.
    """
    text = b"\xda\x01\x2c" + b"x" * 300
    first = b"\x93\x01\x01" + b"\x81\xa4body" + text
    mark = b"\xce" + zlib.crc32(first).to_bytes(4, "big") if crc else b"\xc4\x10" + hashlib.sha256(first).digest()[:16]
    back_and_way = b"\x93\x01" + b"\x92\x02\xa4body" + mark
    second = b"\x93\x01\x02" + b"\x81\xa4sent" + b"\xc7" + bytes([len(back_and_way), 6]) + back_and_way
    page = b"\x92" + b"\xc5" + len(first).to_bytes(2, "big") + first + b"\xc4" + bytes([len(second)]) + second
    kid = hkdf_expand(KEY, lp(b"sealflow/1", b"kid", ENVIRONMENT, n(1), RUN), 32)
    header = bytes([0x57, 1, 1, 2]) + kid
    associated = lp(header, ENVIRONMENT, n(1), RUN, n(7), n(0))
    cipher = AESGCM(hkdf_expand(KEY, lp(b"sealflow/1", b"enc|chain"), 64)[:32])
    record = header + NONCE + cipher.encrypt(NONCE, page, associated)
    return {
        "scope_key": KEY.hex(),
        "environment": ENVIRONMENT.hex(),
        "scope": RUN.hex(),
        "seq": 7,
        "nonce": NONCE.hex(),
        "plaintext": page.hex(),
        "records": [[1, 1, {"body": "x" * 300}], [1, 2, {"sent": "x" * 300}]],
        "record": record.hex(),
    }


def large_value_vector() -> dict[str, Any]:
    """The chunks of a large value, and its name in a record, by hand."""
    value_id, pieces = bytes(range(0x30, 0x40)), [b"x" * 100, "ä".encode()]
    kid = hkdf_expand(KEY, lp(b"sealflow/1", b"kid", ENVIRONMENT, n(1), RUN), 32)
    header = bytes([0x57, 1, 1, 4]) + kid
    cipher = AESGCM(hkdf_expand(KEY, lp(b"sealflow/1", b"enc|chain"), 64)[:32])
    chunks = []
    for number, piece in enumerate(pieces, 1):
        last = int(number == len(pieces))
        associated = lp(header, ENVIRONMENT, n(11), value_id, n(number), n(last))
        chunks.append((header + NONCE + cipher.encrypt(NONCE, piece, associated)).hex())
    data = b"".join(pieces)
    fields = b"\x95" + b"\xc4\x10" + value_id + b"\x02\x02\x66" + b"\xc4\x20" + hashlib.sha256(data).digest()
    return {
        "scope_key": KEY.hex(),
        "environment": ENVIRONMENT.hex(),
        "scope": RUN.hex(),
        "nonce": NONCE.hex(),
        "value": value_id.hex(),
        "name": (b"\xc7" + bytes([len(fields), 7]) + fields).hex(),
        "chunks": chunks,
        "text": data.decode(),
    }


def key_vectors() -> dict[str, str]:
    """An environment key, what it wraps, finds and certifies, and its own wrapping, by hand."""
    role, domain, version, kind, generation = n(2), n(1), n(3), n(1), n(1)
    wrap = hkdf_expand(KEY, lp(b"sealflow/1", b"wrap"), 32)
    index = hkdf_expand(KEY, lp(b"sealflow/1", b"index"), 32)
    mac = hkdf_expand(KEY, lp(b"sealflow/1", b"mac"), 32)
    scope_key = bytes(reversed(KEY))
    context = b"scope key", ENVIRONMENT, domain, version, kind, generation, RUN
    kid = hkdf_expand(scope_key, lp(b"sealflow/1", b"kid", ENVIRONMENT, n(1), RUN), 32)
    column = hkdf_expand(index, lp(b"sealflow/1", b"column", n(2), n(1)), 32)
    payload = lp(b"sealflow environment key", ENVIRONMENT, role, domain, version, KEY)
    kek = bytes([0x77]) * 32
    kek_wrap = hkdf_expand(kek, lp(b"sealflow/1", b"kek wrap"), 32)
    return {
        "environment_key": KEY.hex(),
        "environment": ENVIRONMENT.hex(),
        "role": "2",
        "domain": "1",
        "version": "3",
        "kid": hkdf_expand(KEY, lp(b"sealflow/1", b"environment kid", ENVIRONMENT, role, domain, version), 32).hex(),
        "scope_key": scope_key.hex(),
        "wrapped_scope_key": (NONCE + AESGCM(wrap).encrypt(NONCE, scope_key, lp(*context, kid))).hex(),
        "scope_kid": kid.hex(),
        "index_of_invoice": hmac.new(column, b"invoice", hashlib.sha256).digest()[:16].hex(),
        "certificate": hmac.new(mac, lp(b"label", ENVIRONMENT, b"field"), hashlib.sha256).digest().hex(),
        "kek": kek.hex(),
        "kek_kid": hkdf_expand(kek, lp(b"sealflow/1", b"kek kid"), 16).hex(),
        "wrapped_environment_key": (NONCE + AESGCM(kek_wrap).encrypt(NONCE, payload, lp(b"kek", b"context"))).hex(),
    }


CODEC_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "small integer": 5,
    "64-bit": [2**64 - 1, -(2**63)],
    "big integers": [2**64, -(2**63) - 1],
    "decimal": Decimal("-12.50"),
    "float": [1.5, -0.0, float("inf")],
    "text": "Grüße",
    "bytes": b"\x00\xff",
    "surrogate": "a\ud800",
    "surrogate key": {"\udc00": 1, "b": [2]},
    "object": {"a": [1, {"b": None}]},
}


def codec_vectors() -> dict[str, str]:
    """MessagePack by hand, from its specification, with the extension types of format 1."""
    return {
        "null": "c0",
        "true": "c3",
        "small integer": "05",
        "64-bit": "92" + "cf" + "ff" * 8 + "d3" + "80" + "00" * 7,
        "big integers": "92" + "c70901" + "01" + "00" * 8 + "c70901" + "ff" + "7f" + "ff" * 7,
        "decimal": "c70602" + b"-12.50".hex(),
        "float": "93" + "cb3ff8000000000000" + "cb8000000000000000" + "cb7ff0000000000000",
        "text": "a7" + "Grüße".encode().hex(),
        "bytes": "c4" + "02" + "00ff",
        "surrogate": "d603" + "61eda080",
        "surrogate key": "c70c04" + "94" + "c70303edb080" + "01" + "a162" + "9102",
        "object": "81a1619201" + "81a162c0",
    }


@pytest.fixture
def fixed_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "urandom", lambda size: NONCE if size == 12 else bytes(reversed(KEY)))


def test_the_vector_files_are_what_the_specification_says() -> None:
    assert json.loads((VECTORS / "sealed_record_1.json").read_text()) == record_vectors()
    assert json.loads((VECTORS / "linked_record_2.json").read_text()) == record_vectors(2)
    assert json.loads((VECTORS / "keys_1.json").read_text()) == key_vectors()
    assert json.loads((VECTORS / "codec_1.json").read_text()) == codec_vectors()
    assert json.loads((VECTORS / "page_2.json").read_text()) == page_vector(crc=True)
    assert json.loads((VECTORS / "page_2_digest.json").read_text()) == page_vector()
    assert json.loads((VECTORS / "large_value_1.json").read_text()) == large_value_vector()


@pytest.mark.usefixtures("fixed_nonce")
@pytest.mark.parametrize(("form", "file"), [(1, "sealed_record_1.json"), (2, "linked_record_2.json")])
def test_records_and_links(form: int, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_SEALS", 1 << 64)  # some vectors have larger numbers than a key may seal
    key = envelope.ScopeKey(KEY, ENVIRONMENT, Kind.RUN, RUN)
    for vector in json.loads((VECTORS / file).read_text()):
        text = vector["plaintext"]
        plaintext = bytes.fromhex(text[:2]) * int(text[3:]) if "*" in text else bytes.fromhex(text)
        place = key.place(Purpose(vector["purpose"]), bytes.fromhex(vector["record_id"]), form=form)
        record = key.seal(place, vector["seq"], vector["row_version"], plaintext)
        assert key.kid.hex() == vector["kid"]
        assert hashlib.sha256(record).hexdigest() == vector["record_sha256"]
        assert vector["record"] in (None, record.hex())
        assert key.open(place, vector["seq"], vector["row_version"], record) == plaintext
        previous = bytes.fromhex(vector["previous_link"])
        assert key.link(previous, vector["seq"], record).hex() == vector["link"]
        if form == 2 and not vector["row_version"]:
            assert key.seal_page(place, vector["seq"], plaintext, previous) == (record, bytes.fromhex(vector["link"]))


@pytest.mark.usefixtures("fixed_nonce")
def test_keys() -> None:
    vector = json.loads((VECTORS / "keys_1.json").read_text())
    key = envelope.EnvironmentKey(KEY, ENVIRONMENT, Role.ENVIRONMENT, Domain.SERVICE, 3)
    assert key.kid.hex() == vector["kid"]
    scope, wrapped = key.new_scope(Kind.RUN, RUN)
    assert (scope.kid.hex(), wrapped.hex()) == (vector["scope_kid"], vector["wrapped_scope_key"])
    assert key.open_scope(Kind.RUN, RUN, 1, scope.kid, wrapped).kid == scope.kid
    assert key.index(Index.FLOW_NAME, b"invoice").hex() == vector["index_of_invoice"]
    assert key.certify(b"label", b"field").hex() == vector["certificate"]
    kek = envelope.KeyEncryptionKey(bytes.fromhex(vector["kek"]))
    payload = envelope.environment_key_payload(KEY, ENVIRONMENT, 2, 1, 3)
    assert kek.kid.hex() == vector["kek_kid"]
    assert kek.wrap(b"context", payload).hex() == vector["wrapped_environment_key"]
    unwrapped = kek.unwrap(b"context", bytes.fromhex(vector["wrapped_environment_key"]))
    assert envelope.environment_key_of(unwrapped, ENVIRONMENT, 2, 1, 3).kid == key.kid


@pytest.mark.usefixtures("fixed_nonce")
def test_a_page_of_records_that_refer_to_others() -> None:
    vector = json.loads((VECTORS / "page_2_digest.json").read_text())
    key = envelope.ScopeKey(KEY, ENVIRONMENT, Kind.RUN, RUN)
    text = "x" * 300
    referrer = Referrer()
    referrer.naming, referrer.named = {2: 2}, {1: 2}
    packed = referrer.pack([[1, 1, {"body": text}], [1, 2, {"sent": text}]], vector["seq"])
    ((count, page),) = codec.pack_pages(packed, 1 << 16)
    assert (count, page.hex()) == (2, vector["plaintext"])
    place = key.place(Purpose.PAGE, RUN, envelope.REFERRING)
    record = key.seal(place, vector["seq"], 0, page)
    assert record.hex() == vector["record"]
    assert Resolver().open(key.open(place, vector["seq"], 0, record), vector["seq"]) == vector["records"]
    with pytest.raises(NotARecord):  # the codec is part of what is authenticated
        key.open(key.place(Purpose.PAGE, RUN), vector["seq"], 0, record[:3] + b"\x01" + record[4:])


def test_a_page_whose_references_have_a_checksum() -> None:
    """Written by earlier versions, and read for ever."""
    vector = json.loads((VECTORS / "page_2.json").read_text())
    key = envelope.ScopeKey(KEY, ENVIRONMENT, Kind.RUN, RUN)
    place = key.place(Purpose.PAGE, RUN, envelope.REFERRING)
    page = key.open(place, vector["seq"], 0, bytes.fromhex(vector["record"]))
    assert Resolver().open(page, vector["seq"]) == vector["records"]
    said = zlib.crc32(b"").to_bytes(4, "big")
    start = page.index(b"\xce", page.index(b"sent"))
    with pytest.raises(NotARecord, match="another record"):
        Resolver().open(page[: start + 1] + said + page[start + 5 :], vector["seq"])


@pytest.mark.usefixtures("fixed_nonce")
def test_a_large_value() -> None:
    vector = json.loads((VECTORS / "large_value_1.json").read_text())
    key = envelope.ScopeKey(KEY, ENVIRONMENT, Kind.RUN, RUN)
    name = codec.unpack(bytes.fromhex(vector["name"]))
    assert name == StoredValue(
        bytes.fromhex(vector["value"]), TEXT, 2, 102, hashlib.sha256(vector["text"].encode()).digest()
    )
    assert codec.pack(name).hex() == vector["name"]
    data = vector["text"].encode()
    pieces = [data[:100], data[100:]]
    for number, (piece, chunk) in enumerate(zip(pieces, vector["chunks"], strict=True), 1):
        row = chunk_row(key, name.id, number, int(number == 2), envelope.PIECE, piece)
        assert row.record.hex() == chunk
        place = key.place(Purpose.CHUNK, name.id, envelope.PIECE)
        assert key.open(place, number, int(number == 2), bytes.fromhex(chunk)) == piece
        with pytest.raises(NotARecord):
            key.open(place, number, int(number != 2), bytes.fromhex(chunk))


def test_a_compressed_page() -> None:
    """Written once, to be read for ever: other versions of the library compress otherwise."""
    vector = json.loads((VECTORS / "page_3.json").read_text())
    key = envelope.ScopeKey(KEY, ENVIRONMENT, Kind.RUN, RUN)
    record = bytes.fromhex(vector["record"])
    data = key.open(key.place(Purpose.PAGE, RUN, envelope.ZIPPED), vector["seq"], 0, record)
    assert data.hex() == vector["frame"]
    assert Resolver().open(unzipped(data), vector["seq"]) == vector["records"]


def test_codec() -> None:
    vectors = json.loads((VECTORS / "codec_1.json").read_text())
    assert vectors.keys() == CODEC_VALUES.keys()
    for name, value in CODEC_VALUES.items():
        assert codec.pack(value).hex() == vectors[name], name
        assert repr(codec.unpack(bytes.fromhex(vectors[name]))) == repr(value), name
