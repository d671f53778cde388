"""Customers' key stores: from a key's address to the provider that wraps environment keys with it.

    file:PATH#NAME                          a keystore file of the customer's own, for one machine and for tests
    azure:VAULT-URL/keys/NAME               Azure Key Vault
    aws:ARN                                 AWS KMS, the ARN of a key or of an alias
    vault:URL/MOUNT/NAME                    the Transit engine of HashiCorp Vault or OpenBao
    pkcs11:token=LABEL;object=LABEL?...     a hardware security module (RFC 7512)

An address names a key and never a version of it, so that new versions are followed. Nothing secret is part of an
address: credentials come from the service's environment. docs/reference/key-providers.md has the details.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InvalidKeyUri
from ...port import KeyProvider


def _file(rest: str) -> KeyProvider:
    from .file import FileKeys, parse

    path, name = parse(rest)
    return FileKeys(path, name)


def _azure(rest: str) -> KeyProvider:
    from .azure import AzureKeys, parse

    return AzureKeys(*parse(rest))


def _aws(rest: str) -> KeyProvider:
    from .aws import AWSKeys, parse

    return AWSKeys(parse(rest))


def _vault(rest: str) -> KeyProvider:
    from .vault import VaultKeys, parse

    return VaultKeys(*parse(rest))


def _pkcs11(rest: str) -> KeyProvider:
    from .pkcs11_uri import parse

    address = parse(rest)  # a PIN in the address is refused whatever is installed
    from .pkcs11 import PKCS11Keys

    return PKCS11Keys(address)


# Imported when they are needed: the vendors' packages are extras, and slow to import.
_SCHEMES: dict[str, Callable[[str], KeyProvider]] = {
    "file": _file, "azure": _azure, "aws": _aws, "vault": _vault, "pkcs11": _pkcs11,
}  # fmt: skip


def provider_for(uri: str) -> KeyProvider:
    """The provider of the key at `uri`. Raises InvalidKeyUri, also for a provider whose package is not installed."""
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    make = _SCHEMES.get(scheme)
    if not colon or make is None:
        # What stands behind an unknown scheme is not repeated: it could be a password.
        raise InvalidKeyUri(f"'{scheme}:' is no kind of key store." if colon else "That is no address of a key.")
    if not rest:
        raise InvalidKeyUri(f"'{uri}' names no key.")
    try:
        return make(rest)
    except ModuleNotFoundError as error:
        raise InvalidKeyUri(
            f"Keys of the kind {scheme}: need a package that is not installed ({error.name}).",
            hint=f"pip install 'sealflow[{scheme}]'",
        ) from error
