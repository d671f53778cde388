"""The storage errors: one tree, each with a stable code and what to do next.

Errors of drivers and of the operating system are mapped to these at the border where they arise (a backend, the
keystore), with the cause kept. Nothing here formats tracebacks, and no message ever carries a sealed value.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..engine.errors import SealflowError


class StorageError(SealflowError):
    """A failure of the store. `code` is stable and meant for programs; `hint` is the next step, for people."""

    code = "StorageError"
    default_hint: str | None = None

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, code=code, hint=hint if hint is not None else self.default_hint)


class IntegrityError(StorageError):
    """What was read is not what was written."""

    code = "IntegrityError"
    default_hint = "Somebody or something changed the store outside Sealflow. Restore it from a backup."


class NotARecord(IntegrityError):
    """A sealed column, file or chunk that is not a valid record of this place. One error for every kind of malformed
    input.
    """

    code = "NotARecord"


class StoreRolledBack(IntegrityError):
    """An earlier copy of an environment's store, or of the row of its keys, was put in the place of the latest one."""

    code = "StoreRolledBack"
    default_hint = "Put the latest copy back, or restore the environment: sealflow backup restore FILE"


class TamperedHistory(IntegrityError):
    """The stored history of one run was changed: pages are missing, exchanged, repeated or altered.

    `run` is the run's id in hex, `seq` the number of the first record that cannot be trusted.
    """

    code = "TamperedHistory"

    def __init__(self, message: str, *, run: str, seq: int, hint: str | None = None) -> None:
        super().__init__(f"run {run}, record {seq}: {message}", hint=hint)
        self.run = run
        self.seq = seq


class InvalidAnchor(StorageError):
    """A file that is no anchor of this environment, or not one that this version knows."""

    code = "InvalidAnchor"
    default_hint = "Give the file that `sealflow verify --write-anchor` wrote for this environment."


class InvalidBackup(StorageError):
    """A file that is no backup, not one that this version knows, or not the other part of this one."""

    code = "InvalidBackup"
    default_hint = "Give the file that `sealflow backup create` wrote, with the one of its keys beside it."


class NotStorable(StorageError):
    """A value that the codec cannot carry unchanged: an unknown type, too deep or too large."""

    code = "NotStorable"


class ValueTooLarge(NotStorable):
    """One value of a run is larger than its environment allows."""

    code = "ValueTooLarge"
    default_hint = "Let the flow take it in parts, or allow more: SEALFLOW_MOST_VALUE_BYTES"


class KeyMissing(StorageError):
    """The keystore, or its entry for this store, is not there although the store is."""

    code = "KeyMissing"
    default_hint = (
        "Restore the keystore from its backup, or point SEALFLOW_KEYSTORE at it. A new key cannot open this store."
    )


class WrongKey(StorageError):
    """The key at hand is not the one that made this store."""

    code = "WrongKey"
    default_hint = "Point SEALFLOW_KEYSTORE at the keystore that made this store, or check the passphrase."


class KeyDenied(StorageError):
    """The customer's key store answered, and refuses: the key is disabled or deleted, or access was taken away."""

    code = "KeyDenied"
    default_hint = "Restore the key and the service's access to it, then unlock the environment."


class KeyUnavailable(StorageError):
    """The customer's key store gave no answer, or none that says anything about the key: an outage, not a refusal."""

    code = "KeyUnavailable"
    default_hint = "Check the network, the address and the service's own credentials; it is tried again by itself."


class InvalidKeyUri(StorageError):
    """A key's address that cannot be understood, or whose provider is not installed."""

    code = "InvalidKeyUri"
    default_hint = (
        "Keys are named file:PATH#NAME, azure:VAULT-URL/keys/NAME, aws:ARN, vault:URL/MOUNT/NAME or pkcs11:..."
    )


class UnsuitableKey(StorageError):
    """A key that a policy must not use: of another type or size, expired, or one that could be lost for good."""

    code = "UnsuitableKey"


class EnvironmentLocked(StorageError):
    """The environment's key was revoked, or it was locked by an administrator: nothing of it can be read or changed."""

    code = "EnvironmentLocked"
    default_hint = "`sealflow env status` says why, and `sealflow env unlock` unlocks it once its key can be used."


class EnvironmentSuspended(EnvironmentLocked):
    """The environment's key could not be reached for longer than its grace time. It goes on by itself when it can."""

    code = "EnvironmentSuspended"
    default_hint = "Check the key store and the network; the environment goes on by itself when its key answers again."


class InboxFull(StorageError):
    """A locked environment has taken in as much as it may. `retry_after`: seconds until it is worth another try."""

    code = "InboxFull"
    default_hint = "Unlock the environment: what it has taken in is carried out then."
    retry_after = 60


class NotPermitted(StorageError):
    """An administrator's act by somebody who does not have that role."""

    code = "NotPermitted"


class ApprovalNeeded(StorageError):
    """An act that a second administrator has to approve first. It is on record as a request."""

    code = "ApprovalNeeded"


class LocationMismatch(StorageError):
    """An environment in another region than the policy it is to come under."""

    code = "LocationMismatch"


class InvalidPolicy(StorageError):
    """Facts that no policy can have."""

    code = "InvalidPolicy"


class PolicyLimit(StorageError):
    """As many environments as allowed are under a policy already."""

    code = "PolicyLimit"


class StaleKeys(StorageError):
    """A policy was applied, or a key exchanged, since this process looked. The vault looks again and repeats."""

    code = "StaleKeys"
    default_hint = "Try again."


class KeystoreUnreadable(StorageError):
    """The keystore file is there but is no keystore, may not be read, or lies where it must not."""

    code = "KeystoreUnreadable"


class NotDedicated(StorageError):
    """A process that is to open one environment only has the keys of others at hand."""

    code = "NotDedicated"
    default_hint = "`sealflow key export FILE --environment NAME` makes a keystore for one environment."


class SealLimit(StorageError):
    """A scope key has sealed as much as it may (2^31 records)."""

    code = "SealLimit"
    default_hint = "Start a new run, or give the flow a new key."


class StoreNotWritable(StorageError):
    """The folder or the file of the store may not be written."""

    code = "StoreNotWritable"
    default_hint = "Give this user the right to write the folder, or choose another one."


class StoreGone(StorageError):
    """The store's file or PostgreSQL schema was removed, moved or replaced while it was open: what was written last
    cannot be opened again there. Nothing more is acknowledged.
    """

    code = "StoreGone"
    default_hint = "Put the file back, or restore a backup, and start again."


class StoreFull(StorageError):
    """The disk is full. The transaction was rolled back: everything acknowledged earlier is kept."""

    code = "StoreFull"
    default_hint = "Free some space and start again: runs go on from their last durable record."


class StoreBusy(StorageError):
    """Another process holds the store for longer than a short write takes."""

    code = "StoreBusy"
    default_hint = "Try again, or stop the other process."


class StoreCorrupt(StorageError):
    """The database file is damaged, or is no database of Sealflow."""

    code = "StoreCorrupt"
    default_hint = "Restore the store from a backup."


class StoreTooNew(StorageError):
    """The store was written by a later version of Sealflow."""

    code = "StoreTooNew"
    default_hint = "Upgrade Sealflow."


class StoreTooOld(StorageError):
    """The store was written by a version of Sealflow before its first release."""

    code = "StoreTooOld"
    default_hint = "Back it up with the version of Sealflow that wrote it, and restore the backup with this one."


class StoreClosed(StorageError):
    """The store, or this run's log, was closed or has failed earlier."""

    code = "StoreClosed"


class RecordNotFound(StorageError):
    """An environment, flow, version or run that is not in the store."""

    code = "RecordNotFound"
    default_hint = None


class InvalidName(StorageError):
    """A name that nothing can have."""

    code = "InvalidName"
    default_hint = "Give it a name."


class AlreadyThere(StorageError):
    """Something with this name or id is in the store already."""

    code = "AlreadyThere"


class Conflict(StorageError):
    """Somebody else wrote the same row first. The vault reads again and repeats where that is right."""

    code = "Conflict"
    default_hint = "Try again."


class AlreadyAnswered(Conflict):
    """The callback was accepted before, or nobody waits for it any more."""

    code = "AlreadyAnswered"
    default_hint = "Nothing needs to be done: the first callback counts."


class RunNotOwned(Conflict):
    """A run that this process does not own, or not any more: another worker has it, or it was written by another log.
    Nothing of it was written.

    `runs` are the ids of the runs.
    """

    code = "RunNotOwned"
    default_hint = "The run continues in the process that owns it: sealflow runs show RUN"

    def __init__(self, runs: Iterable[bytes], *, hint: str | None = None) -> None:
        self.runs = frozenset(runs)
        names = ", ".join(sorted(run.hex() for run in self.runs))
        super().__init__(f"This process does not own the run {names}.", hint=hint)


class StoreUnreachable(StoreBusy):
    """The database's server does not answer, or has ended the connection. What was acknowledged is there; whether what
    was under way is, is found out before anything else is written.
    """

    code = "StoreUnreachable"
    default_hint = "Check that the database server runs and can be reached; Sealflow goes on by itself."


class DatabaseRefused(StorageError):
    """The database's server does not let this user in, or has no such database."""

    code = "DatabaseRefused"
    default_hint = "The password comes from PGPASSWORD, ~/.pgpass (PGPASSFILE) or a service file."


class InvalidDatabaseUrl(StorageError):
    """An address that no database can have, or that may not be kept."""

    code = "InvalidDatabaseUrl"
    default_hint = "Use postgresql://USER@HOST:PORT/DATABASE."


class ExecutorLost(StorageError):
    """This process was the environment's executor and is not any more: it was not heard of for longer than its lease,
    and another one has taken over. Nothing more is written for the runs it had.
    """

    code = "ExecutorLost"
    default_hint = "Try again: the other process executes them now."


def taken_over() -> ExecutorLost:
    """The error of everything that a process does as the executor that it is no more."""
    return ExecutorLost("Another process has taken over the runs of this environment.")
