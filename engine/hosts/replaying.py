"""Replaying history bundles: `sealflow.replay`, and what the command line does with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...storage import EnvironmentLocked, IntegrityError, KeyDenied, KeyUnavailable, StorageError, WrongKey
from ..cloud import parse, read_object
from ..runtime.observe import bundles
from ..runtime.observe.bundles import Bundle, ReplayReport, UnreadableBundleError

if TYPE_CHECKING:
    from .embedded import Engine


async def open_history(data: bytes, engine: Engine | None = None) -> Bundle:
    """The history in a bundle. A sealed one needs the engine whose store has its environment.

    Raises UnreadableBundleError, and the refusal of an environment that is locked or whose key is not given, where the
    bundle may be its own.
    """
    if bundles.is_plaintext(data):
        return bundles.read_plaintext(data)
    if engine is None:
        raise UnreadableBundleError(
            "The bundle is sealed to an environment.", hint="Open it with the engine of the store that has it."
        )
    tried: StorageError | None = None
    refused: StorageError | None = None
    for info in await engine.environments():
        try:
            environment = await engine.environment(info.name, create=False)
            return bundles.bundle_of(await environment.open_bundle(data))
        except WrongKey as error:  # another environment's: the next one may be it
            tried = error
        except (EnvironmentLocked, KeyDenied, KeyUnavailable) as error:
            refused = refused or error
        except IntegrityError as error:
            hint = "The file is damaged, or no bundle. Export the run again, if its store is still there."
            raise UnreadableBundleError(f"The bundle cannot be opened: {error}", hint=hint) from error
        except StorageError as error:
            raise UnreadableBundleError(f"The bundle cannot be opened: {error}", hint=error.hint) from error
    if refused is not None:
        raise refused
    raise UnreadableBundleError(
        "The bundle is sealed to an environment that is not in this store.",
        hint="Name the store that has it with --home.",
    ) from tried


async def replay(
    data: bytes, *, definition: dict[str, Any] | None = None, engine: Engine | None = None
) -> ReplayReport:
    """Feed a run's recorded events to the kernel and compare what it decides with what was recorded.

    `definition`: replay against this one (any form of file as a dict) in place of the one that ran. Raises
    UnreadableBundleError, and DefinitionError for a definition that is none.
    """
    bundle = await open_history(data, engine)
    if definition is None:
        return bundles.replay_bundle(bundle)
    source = read_object(definition)
    parsed = parse(source.definition, dialect=source.dialect, pointer=source.pointer)
    document = {
        "definition": source.definition,
        "dialect": bundle.document["dialect"] if source.dialect == "auto" else parsed.dialect,
        "pointer": source.pointer,
    }
    return bundles.replay_bundle(bundle, document)
