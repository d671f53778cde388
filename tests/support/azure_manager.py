"""A stand-in for Azure's Resource Manager and its login, on loopback: groups, disks, snapshots, virtual machines.

It is strict about what a request must have - token, api-version, bodies - and slow where Azure is: what takes its time
is answered 202 with an address to ask. It is no Azure: what it does was written from the documents of the REST
interface.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from http_server import Seen, Server

TENANT, CLIENT, SECRET, SUBSCRIPTION = "tenant-1", "client-1", "the-secret", "sub-1"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
COMPUTE = "providers/Microsoft.Compute"
POWER = {"start": "running", "deallocate": "deallocated", "powerOff": "stopped", "restart": "running"}
DEFAULTS = {
    "disks": {"osType": "Linux", "diskState": "Unattached", "timeCreated": "2026-01-01T00:00:00Z"},
    "snapshots": {"timeCreated": "2026-01-01T00:00:00Z"},
}


class Manager:
    """What there is, by lower-case path. `refuse`: a status and a code that is answered to every later request."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.power: dict[str, str] = {}
        self.tokens = 0
        self.pending: dict[str, int] = {}
        self.refuse: tuple[int, str] | None = None
        self.wait = 2
        """The seconds that whoever asks how an operation goes on is told to wait."""
        self.fail: str | None = None
        """The code with which what was begun fails later."""
        self.server = Server(self.answer)

    def group(self, name: str) -> str:
        path = f"{ROOT}/resourceGroups/{name}"
        properties = {"provisioningState": "Succeeded"}
        self.things[path.lower()] = {"id": path, "name": name, "location": "westeurope", "properties": properties}
        return path

    def thing(self, group: str, kind: str, name: str, **members: Any) -> str:
        path = f"{ROOT}/resourceGroups/{group}/{COMPUTE}/{kind}/{name}"
        made = {"id": path, "name": name, "location": "westeurope", "properties": {}, **members}
        made["properties"] = {**DEFAULTS.get(kind, {}), **made["properties"]}
        self.things[path.lower()] = made
        if kind == "virtualMachines":
            self.power[path.lower()] = "running"
        return path

    def answer(self, seen: Seen) -> bytes:
        parts = urlsplit(seen.target)
        path, query = unquote(parts.path), parse_qs(parts.query)
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return self._token(parse_qs(seen.body.decode()))
        if not seen.headers.get("authorization", "").startswith("Bearer token-"):
            return _error(401, "AuthenticationFailed")
        if path.startswith("/operations/"):
            return self._operation(path)
        if "api-version" not in query and "skiptoken" not in query:
            return _error(400, "MissingApiVersionParameter")
        if self.refuse is not None:
            return _error(*self.refuse)
        return self._act(seen.method, path, json.loads(seen.body or b"null"), query)

    def _token(self, form: dict[str, list[str]]) -> bytes:
        wanted = {
            "grant_type": ["client_credentials"],
            "client_id": [CLIENT],
            "client_secret": [SECRET],
            "scope": [f"{self.server.url}/.default"],
        }
        if form != wanted:
            return _reply(401, {"error": "invalid_client", "error_description": "AADSTS7000215"})
        self.tokens += 1
        return _reply(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{self.tokens}"})

    def _operation(self, path: str) -> bytes:
        if self.pending[path] > 0:
            self.pending[path] -= 1
            return _reply(200, {"status": "InProgress"}, f"Retry-After: {self.wait}")
        if self.fail is not None:
            return _reply(200, {"status": "Failed", "error": {"code": self.fail, "message": "Later."}})
        return _reply(200, {"status": "Succeeded"})

    def _begun(self, body: Any) -> bytes:
        path = f"/operations/{len(self.pending)}"
        self.pending[path] = 2
        return _reply(202, body, f"Azure-AsyncOperation: {self.server.url}{path}", f"Retry-After: {self.wait}")

    def _act(self, method: str, path: str, body: Any, query: dict[str, list[str]]) -> bytes:
        key = path.lower()
        if path == "/subscriptions":
            found = {"id": ROOT, "subscriptionId": SUBSCRIPTION, "displayName": "Main", "state": "Enabled"}
            return _reply(200, {"value": [found]})
        if method == "POST":
            machine, _, word = path.rpartition("/")
            if machine.lower() not in self.things:
                return _error(404, "ResourceNotFound")
            self.power[machine.lower()] = POWER[word]
            return self._begun(None)
        if method in ("PUT", "PATCH"):
            return self._put(method, path, body)
        if method == "DELETE":
            # Azure answers 204 for what is not there, and 404 for a group.
            if self.things.pop(key, None) is None:
                return _error(404, "ResourceGroupNotFound") if "/providers/" not in path else _reply(204, None)
            return self._begun(None)
        if key.endswith("/instanceview"):
            state = self.power[key.removesuffix("/instanceview")]
            return _reply(200, {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{state}"}]})
        return self._get(path, query)

    def _put(self, method: str, path: str, body: Any) -> bytes:
        name, kind = path.rpartition("/")[2], path.split("/")[-2]
        if "/providers/" not in path:
            self.group(name)
            return _reply(201, {**self.things[path.lower()], "location": body["location"]})
        group = path.split("/")[4]
        if method == "PATCH":
            stored = self.things[path.lower()]["properties"]["storageProfile"]
            stored["dataDisks"] = [
                {"name": each.get("managedDisk", {}).get("id", "").rpartition("/")[2], **each}
                for each in body["properties"]["storageProfile"]["dataDisks"]
            ]
            return self._begun(None)
        source = body["properties"]["creationData"]
        assert source["createOption"] in ("Empty", "Copy", "Import")
        self.thing(group, kind, name, **body)
        return self._begun(self.things[path.lower()])

    def _get(self, path: str, query: dict[str, list[str]]) -> bytes:
        key = path.lower()
        if key in self.things:
            return _reply(200, self.things[key])
        kind = key.rpartition("/")[2]
        if kind == "resourcegroups":
            found = [each for each in self.things.values() if "/providers/" not in each["id"]]
        elif kind in ("disks", "snapshots", "virtualmachines"):
            start = key.partition("/providers/")[0] + "/"
            found = [each for place, each in self.things.items() if place.startswith(start) and f"/{kind}/" in place]
        else:
            return _error(404, "ResourceNotFound" if "/providers/" in path else "ResourceGroupNotFound")
        first = int(query.get("skiptoken", ["0"])[0])
        page: dict[str, Any] = {"value": found[first : first + 2]}
        if first + 2 < len(found):
            page["nextLink"] = f"{self.server.url}{path}?skiptoken={first + 2}"
        return _reply(200, page)


def _error(status: int, code: str) -> bytes:
    return _reply(status, {"error": {"code": code, "message": "No."}})


def _reply(status: int, body: Any, *headers: str) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + data
