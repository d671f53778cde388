"""Symmetric keys in AWS KMS: `aws:ARN`, of a key or of an alias.

The service logs in by botocore's chain: environment variables, profile, container or instance role. It needs
kms:DescribeKey, kms:Encrypt and kms:Decrypt. The context is the encryption context: KMS authenticates it and CloudTrail
shows it. KMS follows its own rotation of a key; an alias that is moved to another key is followed as well.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.session import Session

from ...errors import InvalidKeyUri, KeyDenied, KeyUnavailable, StorageError
from .remote import CONNECT_SECONDS, BadCredentials, Described, RemoteKeys, not_this_key

# At level DEBUG botocore logs what it sends and gets, and that is what is wrapped here.
logging.getLogger("botocore").setLevel(logging.INFO)

_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)")
_VERSION: Final = re.compile(r"([A-Za-z0-9-]+)(?:/[0-9a-f]+)?")
_CONTEXT_KEY: Final = "sealflow"
_USABLE: Final = ("Enabled", "PendingRotation")

_DENIED: Final = {
    "AccessDeniedException": "AWS refuses the service the use of",
    "DisabledException": "AWS says that this key is disabled:",
    "InvalidKeyUsageException": "AWS says that this key is not for encryption:",
    "KMSInvalidStateException": "AWS says that this key is to be deleted, or not in a state to be used:",
    "NotFoundException": "AWS does not have",
}
_BAD_CREDENTIALS: Final = frozenset({
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException", "RequestExpired", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
_NO_LOGIN: Final = (
    CredentialRetrievalError, NoCredentialsError, PartialCredentialsError, ProfileNotFound, SSOError,
    TokenRetrievalError,
)  # fmt: skip


class AWSKeys(RemoteKeys):
    """The provider of one key. `session` makes a login, `endpoint` is a server other than Amazon's."""

    name = "aws"

    def __init__(self, arn: str, *, session: Callable[[], Session] = Session, endpoint: str | None = None) -> None:
        prefix, _, resource = arn.rpartition(":")
        super().__init__(f"aws:{arn}", resource)
        self._arn = arn
        self._prefix = prefix
        self._region = arn.split(":")[3]
        self._session = session
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._client: Any = None  # botocore makes its clients' classes at run time

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _log_in_again(self) -> None:
        # Others may be using the old client: it is left to them, not closed.
        self._client = None

    async def _describe(self) -> Described:
        found = (await self._call("describe_key", KeyId=self._arn))["KeyMetadata"]
        state = found["KeyState"]
        if state not in _USABLE:
            raise KeyDenied(f"The key {self.uri} cannot be used: its state is {state}.")
        material = found.get("CurrentKeyMaterialId")
        expires = found.get("ValidTo")
        return Described(
            version=found["KeyId"] if material is None else f"{found['KeyId']}/{material}",
            # Deletion takes 7 to 30 days and can be called off; imported material can be deleted at once.
            recoverable=True if found.get("Origin") == "AWS_KMS" else None,
            expires_ms=int(expires.timestamp() * 1000) if isinstance(expires, datetime) else None,
            problem=_problem(self.uri, found),
        )

    async def _wrap(self, version: str, payload: bytes, context: bytes) -> bytes:
        answer = await self._call(
            "encrypt", KeyId=self._key_arn(version), Plaintext=payload, EncryptionContext=_encryption_context(context)
        )
        return bytes(answer["CiphertextBlob"])

    async def _unwrap(self, version: str, data: bytes, context: bytes) -> bytes:
        answer = await self._call(
            "decrypt",
            KeyId=self._key_arn(version),
            CiphertextBlob=data,
            EncryptionContext=_encryption_context(context),
        )
        return bytes(answer["Plaintext"])

    def _key_arn(self, version: str) -> str:
        """The key that a version is of: an alias may have been moved on since, within its account and region."""
        match = _VERSION.fullmatch(version)
        if match is None or (self.key.startswith("key/") and self.key != f"key/{match[1]}"):
            raise not_this_key(self.uri)
        return f"{self._prefix}:key/{match[1]}"

    async def _call(self, operation: str, **arguments: object) -> dict[str, Any]:
        def call() -> dict[str, Any]:
            answer: dict[str, Any] = getattr(self._connected(), operation)(**arguments)
            return answer

        return await asyncio.to_thread(call)

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                settings = Config(
                    connect_timeout=CONNECT_SECONDS, read_timeout=CONNECT_SECONDS, retries={"total_max_attempts": 1}
                )
                self._client = self._session().create_client(
                    "kms", region_name=self._region, endpoint_url=self._endpoint, config=settings
                )
            return self._client

    def _meaning(self, error: Exception) -> StorageError:
        if isinstance(error, _NO_LOGIN):
            return BadCredentials(f"There are no AWS credentials for {self.uri} ({type(error).__name__}).")
        code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else None
        if code in _BAD_CREDENTIALS:
            return BadCredentials(f"AWS does not accept the service's credentials for {self.uri} ({code}).")
        if code in _DENIED:
            return KeyDenied(f"{_DENIED[code]} {self.uri}.")
        if code == "IncorrectKeyException":
            return not_this_key(self.uri)
        if code == "InvalidCiphertextException":
            return self._altered()
        told = f"answered {code}" if code is not None else f"cannot be reached ({type(error).__name__})"
        return KeyUnavailable(f"AWS KMS of {self.uri} {told}.")


def parse(rest: str) -> str:
    """The ARN, checked. Raises InvalidKeyUri."""
    if not _ARN.fullmatch(rest):
        raise InvalidKeyUri(
            f"'aws:{rest}' is no ARN of a key or an alias.",
            hint="Write it as aws:arn:aws:kms:REGION:ACCOUNT:key/ID or aws:arn:aws:kms:REGION:ACCOUNT:alias/NAME.",
        )
    return rest


def _encryption_context(context: bytes) -> dict[str, str]:
    return {_CONTEXT_KEY: context.hex()}


def _problem(uri: str, found: Mapping[str, Any]) -> str | None:
    if found.get("KeySpec") != "SYMMETRIC_DEFAULT" or found.get("KeyUsage") != "ENCRYPT_DECRYPT":
        return f"The key {uri} is {found.get('KeySpec')} for {found.get('KeyUsage')}; it must be symmetric, to encrypt."
    if found.get("KeyManager") != "CUSTOMER":
        return f"The key {uri} is managed by AWS, so that nobody could revoke it."
    return None
