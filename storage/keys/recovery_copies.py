"""Recovery copies: the environment keys of a customer's domain, wrapped by a second key of the customer's as well, for
the day on which the first one is lost.

The copies are part of the sealed state of keys (see keystate), so each change of keys is also one of the copies. They
are no way around a lock for somebody who lacks the second key; for whoever has it they are, and status says so.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import KeyDenied, KeyUnavailable, RecordNotFound
from ..format.purposes import Domain, Role
from ..port import Wrapped
from .key_source import KeySource
from .key_state import Cover, KeyState
from .keyring import Keyring, unwrapped


async def with_copies(source: KeySource, keyring: Keyring, state: KeyState, *, anew: bool = False) -> KeyState:
    """The state with a copy of each environment key that its policies want one of: those that are missing are made,
    with `anew` all of them, and those of retired keys go. Raises KeyDenied and KeyUnavailable, which name the recovery
    key, and EnvironmentLocked.
    """
    covers = dict(state.covers)
    for domain, cover in covers.items():
        if cover.recovery is None:
            continue
        provider = source.customer(cover.recovery)
        copies: dict[int, Wrapped] = {}
        for row in keyring.rows:
            if row.domain != domain:
                continue
            known = None if anew else cover.copies.get(row.version)
            try:
                copies[row.version] = known or await keyring.copy_of(domain, row.version, provider)
            except (KeyDenied, KeyUnavailable) as error:
                raise _needed(error) from error
        covers[domain] = replace(cover, copies=copies)
    return replace(state, covers=covers)


async def with_renewed_copies(
    source: KeySource, keyring: Keyring, state: KeyState
) -> tuple[KeyState, KeyDenied | KeyUnavailable | None]:
    """The same, with all copies made by the newest version of the recovery key if it is given; where it is not, those
    that there are stay, which open the same keys, and the second value says why. Raises as `with_copies` where one is
    missing.
    """
    try:
        return await with_copies(source, keyring, state, anew=True), None
    except (KeyDenied, KeyUnavailable) as error:
        return await with_copies(source, keyring, state), error


def _needed(error: KeyDenied | KeyUnavailable) -> KeyDenied | KeyUnavailable:
    return type(error)(
        f"A recovery copy of the environment's key is to be made, and the recovery key is not given. {error.message}",
        hint="Give the recovery key for the time of the act, or apply a policy without one.",
    )


async def recovered(source: KeySource, service: Keyring, epoch: int) -> tuple[Keyring, KeyState]:
    """All keys of an environment, opened by their copies, and its next state (that of `epoch`): in it the recovery key
    has taken the place of the key.

    `service` has the service's own keys. Raises RecordNotFound where there are no copies, KeyDenied, KeyUnavailable,
    WrongKey, IntegrityError.
    """
    state = source.state
    if not state.covers or any(cover.recovery is None for cover in state.covers.values()):
        raise RecordNotFound(
            "There is no recovery copy of the environment's keys.",
            hint="A policy makes them that was created with --recovery URI, and applied while its key was given.",
        )
    opened = []
    for row in service.rows:
        cover = state.covers.get(row.domain)
        if row.domain == Domain.SERVICE:
            continue
        if cover is None:  # given back to the service
            opened.append(await unwrapped(service.environment, Role.ENVIRONMENT, source.service, row))
            continue
        copy = _copy(cover, row.version)
        row = row._replace(kek=copy.kek, wrapped=copy.data)
        provider = source.customer(str(cover.recovery))
        opened.append(await unwrapped(service.environment, Role.ENVIRONMENT, provider, row))
    keyring = service.opened_by(opened)
    covers = {}
    for domain, cover in state.covers.items():
        keyring = await keyring.rewrapped(domain, source.customer(str(cover.recovery)), policy_epoch=epoch)
        covers[domain] = replace(cover, uri=str(cover.recovery), recovery=None, copies={})
    return keyring, replace(state.next(), covers=covers)


def _copy(cover: Cover, version: int) -> Wrapped:
    copy = cover.copies.get(version)
    if copy is None:
        raise RecordNotFound(f"There is no recovery copy of version {version} of the environment's key.")
    return copy
