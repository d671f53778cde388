"""PKCS#11 URIs (RFC 7512), as far as they name an AES key: token, object, module and where the PIN is.

    pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/…/module.so&pin-source=file:/etc/…/pin

A `pin-value` is refused: an address is shown, stored and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, unquote_to_bytes

from ...errors import InvalidKeyUri

# What a token's tools print; token and serial say the same, more exactly.
_REDUNDANT = ("manufacturer", "model")
_PATH = ("token", "serial", "object", "id", "type", *_REDUNDANT)
_QUERY = ("module-path", "pin-source")
_EXAMPLE = "Write it as pkcs11:token=LABEL;object=LABEL?module-path=/PATH/OF/MODULE.so&pin-source=file:/PATH/OF/PIN."


@dataclass(frozen=True, slots=True)
class KeyAddress:
    """Which key of which token. `label` names all versions of a key, `id` one version alone; one of them is given.

    `module` is the token's driver, None for the one that the environment names; `pin` the file with the PIN, None for
    the environment's.
    """

    token: str | None
    serial: str | None
    label: str | None
    id: bytes | None
    module: Path | None = None
    pin: Path | None = field(default=None, repr=False)

    @property
    def uri(self) -> str:
        """The address in its one normal form."""
        identifier = None if self.id is None else "".join(f"%{byte:02x}" for byte in self.id)
        path = {
            "token": _escaped(self.token), "serial": _escaped(self.serial), "object": _escaped(self.label),
            "id": identifier,
        }  # fmt: skip
        query = {
            "module-path": None if self.module is None else quote(str(self.module)),
            "pin-source": None if self.pin is None else "file:" + quote(str(self.pin)),
        }
        found = f"pkcs11:{_joined(path, ';')}"
        return f"{found}?{_joined(query, '&')}" if any(query.values()) else found


def parse(rest: str) -> KeyAddress:
    """The key that `pkcs11:REST` names. Raises InvalidKeyUri."""
    path, _, query = rest.partition("?")
    if "pin-value=" in rest:
        raise InvalidKeyUri(
            "The address of a key must not carry a PIN.", hint="Use pin-source=file:PATH or SEALFLOW_PKCS11_PIN."
        )
    named = _attributes(path, ";", _PATH)
    asked = _attributes(query, "&", _QUERY)
    if unquote(named.get("type", "secret-key")) != "secret-key":
        raise InvalidKeyUri(f"'pkcs11:{rest}' names no secret key.", hint="Leave type out, or write type=secret-key.")
    if not ({"token", "serial"} & named.keys() and {"object", "id"} & named.keys()):
        raise InvalidKeyUri(f"'pkcs11:{rest}' names no token or no key.", hint=_EXAMPLE)
    return KeyAddress(
        token=_text(named, "token"),
        serial=_text(named, "serial"),
        label=_text(named, "object"),
        id=unquote_to_bytes(named["id"]) if "id" in named else None,
        module=_file(asked, "module-path"),
        pin=_file(asked, "pin-source"),
    )


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in filter(None, text.split(separator)):
        name, equals, value = each.partition("=")
        if name not in known or not equals or not value or name in found:
            raise InvalidKeyUri(
                f"A PKCS#11 address has no attribute '{name}' here, or it is empty or there twice.", hint=_EXAMPLE
            )
        found[name] = value
    return found


def _text(attributes: Mapping[str, str], name: str) -> str | None:
    return unquote(attributes[name]) if name in attributes else None


def _file(attributes: Mapping[str, str], name: str) -> Path | None:
    value = _text(attributes, name)
    if value is None:
        return None
    path = Path(value.removeprefix("file:"))
    # A relative one would lead elsewhere from another folder, and a name alone be searched for by the loader.
    if not path.is_absolute():
        raise InvalidKeyUri(f"The {name} of a PKCS#11 address must be a file, with its whole path.", hint=_EXAMPLE)
    return path


def _escaped(value: str | None) -> str | None:
    return None if value is None else quote(value, safe="")


def _joined(attributes: Mapping[str, str | None], separator: str) -> str:
    return separator.join(f"{name}={value}" for name, value in attributes.items() if value is not None)
