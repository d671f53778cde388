"""Every key provider passes the published suite, against the key store itself or the nearest thing to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from key_servers import BaoProcess, BaoServer, FileServer, ServiceServer
from sealflow.storage.testing.providers import ProviderContract

if TYPE_CHECKING:
    from key_server_aws import AWSServer
    from key_server_azure import AzureServer
    from key_server_softhsm import SoftHSMServer


class TestService(ProviderContract):
    @pytest.fixture
    def key_server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceServer:
        monkeypatch.delenv("SEALFLOW_PASSPHRASE", raising=False)
        return ServiceServer(tmp_path)


class TestFile(ProviderContract):
    @pytest.fixture
    def key_server(self, tmp_path: Path) -> FileServer:
        return FileServer(tmp_path)


class TestVault(ProviderContract):
    @pytest.fixture
    def key_server(self, bao: BaoProcess) -> BaoServer:
        return BaoServer(bao)


class TestAzure(ProviderContract):
    @pytest.fixture
    def key_server(self, azure: AzureServer) -> AzureServer:
        return azure


class TestAWS(ProviderContract):
    @pytest.fixture
    def key_server(self, aws: AWSServer) -> AWSServer:
        return aws


class TestPKCS11(ProviderContract):
    @pytest.fixture
    def key_server(self, softhsm: SoftHSMServer) -> SoftHSMServer:
        return softhsm
