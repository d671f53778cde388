"""AWS KMS: what its answers mean, how versions are followed, and which keys a policy must not use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sealflow.storage import KeyDenied, KeyUnavailable, WrongKey

pytest.importorskip("moto.kms", reason="pip install 'moto[server]'")

from botocore.session import Session
from key_server_aws import AWSServer, Strictness
from sealflow.storage.keys.providers.aws import AWSKeys
from sealflow.storage.keys.providers.remote import BadCredentials

if TYPE_CHECKING:
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

CONTEXT = b"context"


@pytest.fixture
async def keys(aws: AWSServer) -> AWSKeys:
    await aws.make_key("main")
    return aws.provider("main")


@pytest.fixture
def strictness(moto: tuple[ThreadedMotoServer, Strictness]) -> Iterator[Strictness]:
    yield moto[1]
    moto[1].error = None


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "Odd"])
async def test_faults_of_the_service_are_outages(strictness: Strictness, keys: AWSKeys, code: str) -> None:
    strictness.error = code
    with pytest.raises(KeyUnavailable, match=code):
        await keys.facts()
    await keys.aclose()


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"])
async def test_bad_credentials_are_no_refusal(aws: AWSServer, strictness: Strictness, keys: AWSKeys, code: str) -> None:
    before = aws.logins
    strictness.error = code
    with pytest.raises(BadCredentials, match=code):
        await keys.facts()
    assert aws.logins == before + 2, "once more, with a new login"
    strictness.error = None
    assert (await keys.facts()).problem is None
    await keys.aclose()


async def test_no_credentials_are_no_refusal(aws: AWSServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    await aws.make_key("main")
    keys = AWSKeys(aws.arn("main"), session=Session, endpoint=aws.endpoint)
    with pytest.raises(BadCredentials):
        await keys.facts()
    await keys.aclose()


async def test_rotation_is_followed(aws: AWSServer, keys: AWSKeys) -> None:
    before = await keys.wrap(b"payload", CONTEXT)
    aws.client.rotate_key_on_demand(KeyId=aws.key_id("main"))
    facts = await keys.facts()
    assert facts.version != before.kek
    assert (await keys.wrap(b"payload", CONTEXT)).kek == facts.version
    assert await keys.unwrap(before, CONTEXT) == b"payload"
    await keys.aclose()


async def test_the_arn_of_a_key_names_that_key_only(aws: AWSServer, keys: AWSKeys) -> None:
    wrapped = await keys.wrap(b"payload", CONTEXT)
    arn = f"{aws.arn('main').rpartition(':')[0]}:key/{aws.key_id('main')}"
    by_key = aws.at(arn)
    assert await by_key.unwrap(await by_key.wrap(b"payload", CONTEXT), CONTEXT) == b"payload"
    with pytest.raises(WrongKey):
        await by_key.unwrap(wrapped, CONTEXT)  # wrapped by the alias, which may lead to other keys
    version = (await by_key.facts()).version
    other = b"00000000-0000-0000-0000-000000000000" + version[version.rfind(b"@") :]
    with pytest.raises(WrongKey):
        await by_key.unwrap(wrapped._replace(kek=other), CONTEXT)
    await by_key.aclose()
    await keys.aclose()


async def test_what_another_key_wrapped_is_told_from_what_was_altered(aws: AWSServer, keys: AWSKeys) -> None:
    await aws.make_key("other")
    other = aws.provider("other")
    theirs, ours = await other.wrap(b"payload", CONTEXT), await keys.wrap(b"payload", CONTEXT)
    with pytest.raises(WrongKey):
        await keys.unwrap(ours._replace(data=theirs.data), CONTEXT)
    await other.aclose()
    await keys.aclose()


async def test_a_key_in_its_waiting_time_can_be_got_back(aws: AWSServer, keys: AWSKeys) -> None:
    assert (await keys.facts()).recoverable is True
    await aws.deleting.make("main")
    with pytest.raises(KeyDenied, match="PendingDeletion"):
        await keys.facts()
    await keys.aclose()


async def test_unsuitable_keys(aws: AWSServer) -> None:
    made = aws.client.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]
    keys = aws.at(made["Arn"])
    problem = (await keys.facts()).problem
    assert problem is not None
    assert "RSA_2048" in problem
    with pytest.raises(KeyDenied, match="symmetric"):
        await keys.wrap(b"payload", CONTEXT)
    await keys.aclose()


async def test_keys_of_aws_itself_are_unsuitable(aws: AWSServer) -> None:
    keys = aws.at(f"{aws.arn('main').rpartition(':')[0]}:alias/aws/s3")
    problem = (await keys.facts()).problem
    assert problem is not None
    assert "managed by AWS" in problem
    await keys.aclose()
