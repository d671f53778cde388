"""Verifies the control store: its rows, its audit, and what the audit says of each environment's keys."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ..administration.administration import Actor, Administration
from ..errors import IntegrityError, StorageError
from ..format.purposes import Kind
from ..policies.policy import Assignment, said_keys
from ..vault.backup_register import Registry
from ..vault.home import Store
from .verify import ORPHANED, Finding, Progress, Verification

log = logging.getLogger("sealflow")


async def verify_control(store: Store, *, progress: Progress = lambda checked, what: None) -> Verification:
    """Verify environments, policies, assignments, the audit, the entries of backups, and that the key state of each
    environment is not an earlier one than the audit says. What is wrong is part of the answer. Raises the errors of a
    failing control store.
    """
    work = _Control(store)
    looks: dict[str, Callable[[], Awaitable[object]]] = {
        "environments": store.environments,
        "policies": work.administration.policies.all,
        "requests": work.administration.requests.all,
        "keys": work.keys,
        "assignments": work.assignments,
        "audit": work.audit,
        "backups": Registry(store).all,
        "key states": work.states,
    }
    for what, look in looks.items():
        progress(work.result.checked, what)
        try:
            await look()
            work.result.checked += 1
        except IntegrityError as error:
            work.say(what, error.message)
    return work.result


class _Control:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.result = Verification()
        self.administration = Administration(store, Actor("verify"))

    def say(self, at: str, problem: str) -> None:
        self.result.findings.append(Finding(None, at, problem))

    async def keys(self) -> None:
        """No key is without the row that it is for."""
        for kind in (Kind.POLICY, Kind.ASSIGNMENT):
            for scope in await self._store.backend.consistency.orphaned_keys(kind):
                self.say(f"{kind.name.lower()} {scope.hex()}", ORPHANED)

    async def assignments(self) -> None:
        assigned = await self.administration.policies.assignments()
        policies = {policy.id for policy in await self.administration.policies.all()}
        for environment, policy in assigned.items():
            if policy not in policies:
                self.say(f"assignment of environment {environment.hex()}", "Its policy does not exist.")

    async def audit(self) -> None:
        """The acts, and that each assignment is not an earlier one than the last act on the environment's keys."""
        newest: dict[bytes, Assignment] = {}
        async for act in self.administration.audit.acts():
            self.result.checked += 1
            said = said_keys(act)
            if said is not None:
                newest[said[0]] = said[1]
        for environment, said_last in newest.items():
            kept = await self.administration.policies.assignment(environment)
            if kept is None or not kept.follows(said_last):
                self.say(f"assignment of environment {environment.hex()}", "The last act on its keys says otherwise.")

    async def states(self) -> None:
        for info in await self._store.environments():
            try:
                async with self.administration.opened(info.name, locked=True):
                    self.result.checked += 1
            except IntegrityError as error:
                self.say(f"key state of environment {info.id.hex()}", error.message)
            except StorageError as error:  # its store or its keys are away: `verify_environment` says so
                log.debug("the key state of an environment was not compared: %s", error.code)
