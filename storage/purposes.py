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


@unique
class Kind(IntEnum):
    """What a scope key belongs to: the thing that can be shredded by deleting the key's row."""

    RUN = 1
    FLOW = 2
    CONNECTION = 3
    ENVIRONMENT = 4
    INBOX = 5
    BUNDLE = 6


@unique
class Index(IntEnum):
    """The columns that are found by a blind index. Each has its own key."""

    ENVIRONMENT_NAME = 1
    FLOW_NAME = 2
    CONNECTION_NAME = 3
    INBOX_DEDUPE = 4


@unique
class Role(IntEnum):
    """What a store is: one may never stand in for the other, so its environment key says which."""

    CONTROL = 1
    ENVIRONMENT = 2


@unique
class Domain(IntEnum):
    """Whose key seals: the service's, or (with a policy, later) a customer's."""

    SERVICE = 1
