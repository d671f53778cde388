"""Frozen numbers: what a record is for, and what kind of thing a scope key belongs to.

They are authenticated with every record, so a number is never reused and never changes its meaning; new ones are added
at the end. They are deliberately not SQL names: tables may be renamed, sealed bytes may not.
"""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Purpose(IntEnum):
    """The place a record belongs to; a record of one purpose never opens as another."""

    PAGE = 1
    HEAD = 2
    SUMMARY = 3
    FLOW = 4
    VERSION = 5
    CONNECTION = 6
    SNAPSHOT = 7
    INBOX = 8
    ENVIRONMENT = 9
    BUNDLE = 10
    CHUNK = 11
    TIMER = 12
    SUBSCRIPTION = 13
    POLICY = 14
    AUDIT = 15
    TRIGGER = 16
    MESSAGE = 17
    KEY_STATE = 18
    OPERATION = 19
    ASSIGNMENT = 20
    LEDGER = 21
    RETENTION = 22
    BACKUP = 23
    ANCHOR = 24
    INBOX_KEY = 25
    REQUEST = 26
    CLOSING = 27


@unique
class Kind(IntEnum):
    """What a scope key belongs to: the thing that can be shredded by deleting the key's row."""

    RUN = 1
    FLOW = 2
    CONNECTION = 3
    ENVIRONMENT = 4
    INBOX = 5
    BUNDLE = 6
    TRIGGER = 7
    MESSAGE = 8
    KEY_STATE = 9
    POLICY = 10
    AUDIT = 11
    OPERATION = 12
    LEDGER = 13
    RETENTION = 14
    BACKUP = 15
    INBOX_KEY = 16
    ASSIGNMENT = 17
    CLOSING = 18


@unique
class Index(IntEnum):
    """The columns that are found by a blind index. Each has its own key."""

    ENVIRONMENT_NAME = 1
    FLOW_NAME = 2
    CONNECTION_NAME = 3
    INBOX_DEDUPE = 4
    MESSAGE_PARTITION = 5
    MESSAGE_DEDUPE = 6
    POLICY_NAME = 7


@unique
class Role(IntEnum):
    """What a store is: one may never stand in for the other, so its environment key says which."""

    CONTROL = 1
    ENVIRONMENT = 2


@unique
class Domain(IntEnum):
    """Whose key seals. Numbers from 2 up are customers': a new one each time a policy comes to an environment that has
    none.
    """

    SERVICE = 1
