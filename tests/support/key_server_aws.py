"""AWS KMS as moto plays it, on loopback, with what moto leaves out: keys that are disabled, about to be deleted or not
granted are refused, and rotation on demand makes new key material.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any

import moto.kms.models as models
import moto.kms.responses as responses
import pytest
from botocore.loaders import Loader
from botocore.session import Session
from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import AccessDeniedException, InvalidCiphertextException
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from sealflow.storage.keys.providers.aws import AWSKeys
from sealflow.storage.testing.providers import Change

REGION = "eu-central-1"
_LOADER = Loader()  # reads the descriptions of the service once for all tests


class _Refused(JsonRESTError):
    code = 400


class Strictness:
    """The states that moto keeps and does not act on, acted on."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        """Keys whose use is not granted."""
        self.error: str | None = None
        """Answered instead of anything else."""
        self._encrypt = models.KmsBackend.encrypt
        self._decrypt = models.KmsBackend.decrypt
        self._describe = responses.KmsResponse.describe_key

    def install(self, patch: pytest.MonkeyPatch) -> None:
        strict = self

        def encrypt(backend: Any, key_id: str, *arguments: Any, **named: Any) -> Any:
            strict.check(backend, key_id)
            return strict._encrypt(backend, key_id, *arguments, **named)

        def decrypt(backend: Any, ciphertext_blob: bytes, encryption_context: dict[str, str], key_id: str) -> Any:
            strict.check(backend, key_id)
            plaintext, arn = strict.decrypt_by_any(backend, ciphertext_blob, encryption_context)
            if backend.keys[backend.any_id_to_key_id(key_id)].arn != arn:
                raise _Refused("IncorrectKeyException", "The key does not match the ciphertext.")
            return plaintext, arn

        def describe(response: Any) -> Any:
            named = str(response._get_param("KeyId"))
            strict.check_access(named)
            answer = json.loads(strict._describe(response))
            if named.rpartition(":")[2].startswith("alias/aws/"):
                answer["KeyMetadata"]["KeyManager"] = "AWS"
            key = response.kms_backend.keys[answer["KeyMetadata"]["KeyId"]]
            answer["KeyMetadata"]["CurrentKeyMaterialId"] = f"{len(key.rotations):064x}"
            return json.dumps(answer)

        patch.setattr(models.KmsBackend, "encrypt", encrypt)
        patch.setattr(models.KmsBackend, "decrypt", decrypt)
        patch.setattr(responses.KmsResponse, "describe_key", describe)

    def decrypt_by_any(self, backend: Any, data: bytes, context: dict[str, str]) -> Any:
        try:
            return self._decrypt(backend, data, context)
        except AccessDeniedException as error:  # moto's answer to a key id in the data that it does not know
            raise InvalidCiphertextException from error

    def check(self, backend: Any, key_id: str) -> None:
        key = backend.keys[backend.any_id_to_key_id(key_id)]
        self.check_access(key.id)
        if key.key_state == "Disabled":
            raise _Refused("DisabledException", f"{key.arn} is disabled.")
        if key.key_state != "Enabled":
            raise _Refused("KMSInvalidStateException", f"{key.arn} is pending deletion.")

    def check_access(self, named: str) -> None:
        if self.error is not None:
            raise _Refused(self.error, "Refused by the test.")
        if any(each in named for each in self.refused):
            raise _Refused("AccessDeniedException", "The principal is not authorized to perform the operation.")


def start_moto() -> ThreadedMotoServer:
    """The server, on a port that it takes again when it is started again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    return server


class AWSServer:
    """Keys of one account, each behind an alias of the test's. Keys are made and changed by the real client too."""

    binds_context = True

    def __init__(self, server: ThreadedMotoServer, strictness: Strictness) -> None:
        self._server = server
        self._strictness = strictness
        self.endpoint = "http://{}:{}".format(*server.get_host_and_port())
        self.prefix = secrets.token_hex(4)
        self.secret = secrets.token_hex(20)
        self.logins = 0
        self.client = self.session().create_client("kms", region_name=REGION, endpoint_url=self.endpoint)
        self.disabling = Change(self._with_key("disable_key"), self._with_key("enable_key"))
        self.revoking = Change(self._revoke, self._grant)
        self.deleting = Change(self._schedule_deletion, self._cancel_deletion)
        self.outage = Change(self._take_down, self._bring_up)

    def close(self) -> None:
        self.client.close()

    def session(self) -> Session:
        self.logins += 1
        session = Session()
        session.register_component("data_loader", _LOADER)
        session.set_credentials("AKIA0000000000000000", self.secret)
        return session

    def alias(self, name: str) -> str:
        return f"alias/{self.prefix}-{name}"

    def key_id(self, name: str) -> str:
        return str(self.client.describe_key(KeyId=self.alias(name))["KeyMetadata"]["KeyId"])

    def arn(self, name: str) -> str:
        account = "123456789012"
        return f"arn:aws:kms:{REGION}:{account}:{self.alias(name)}"

    def at(self, arn: str) -> AWSKeys:
        return AWSKeys(arn, session=self.session, endpoint=self.endpoint)

    def provider(self, name: str) -> AWSKeys:
        return self.at(self.arn(name))

    def secrets(self) -> Sequence[bytes]:
        return [self.secret.encode()]

    async def make_key(self, name: str) -> None:
        self.client.create_alias(AliasName=self.alias(name), TargetKeyId=self._new_key())

    async def new_version(self, name: str) -> None:
        """The way before rotation on demand, and still that of imported keys: the alias moves on."""
        self.client.update_alias(AliasName=self.alias(name), TargetKeyId=self._new_key())

    def _new_key(self) -> str:
        made = self.client.create_key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")
        return str(made["KeyMetadata"]["KeyId"])

    def _with_key(self, operation: str) -> Callable[[str], Any]:
        async def change(name: str) -> None:
            getattr(self.client, operation)(KeyId=self.key_id(name))

        return change

    async def _revoke(self, name: str) -> None:
        self._strictness.refused.update({self.key_id(name), self.alias(name)})

    async def _grant(self, name: str) -> None:
        self._strictness.refused.clear()

    async def _schedule_deletion(self, name: str) -> None:
        self.client.schedule_key_deletion(KeyId=self.key_id(name), PendingWindowInDays=7)

    async def _cancel_deletion(self, name: str) -> None:
        self.client.cancel_key_deletion(KeyId=self.key_id(name))
        self.client.enable_key(KeyId=self.key_id(name))  # it comes back disabled

    async def _take_down(self, name: str) -> None:
        self._server.stop()

    async def _bring_up(self, name: str) -> None:
        self._server.start()
