"""The connections of a botocore client: to addresses that the egress policy permits, and through no proxy.

botocore would look the server's name up by itself, once more for each connection.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from ...egress.connect import connected_now
from ...egress.policy import Egress
from ..reach import SECONDS


def guard_connections(client: Any, egress: Callable[[], Egress]) -> None:
    """Make a client connect to what the policy of the moment permits and to nothing else."""

    class Plain(_Judged, AWSHTTPConnection):  # type: ignore[misc]
        policy = staticmethod(egress)

    class Secure(_Judged, AWSHTTPSConnection):  # type: ignore[misc]
        policy = staticmethod(egress)

    class PlainPool(AWSHTTPConnectionPool):  # type: ignore[misc]
        ConnectionCls = Plain

    class SecurePool(AWSHTTPSConnectionPool):  # type: ignore[misc]
        ConnectionCls = Secure

    manager = client._endpoint.http_session._manager
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class _Judged:
    """Connects to an address that was judged; the name stays for TLS and the Host header."""

    host: str
    port: int
    policy: Callable[[], Egress]

    def _new_conn(self) -> socket.socket:
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

        try:
            return connected_now(self.policy(), self.host, self.port, SECONDS)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} does not answer") from error
        except OSError as error:
            raise NewConnectionError(self, f"{error}") from error  # type: ignore[arg-type]
