"""The address of a PostgreSQL database: a URL without its password. No connection, and no driver."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from ..errors import InvalidDatabaseUrl

_SCHEMES = ("postgresql", "postgres")
_SECRETS = {"password", "sslpassword"}


def checked_url(url: str) -> str:
    """The URL, if it is one that may be kept: postgresql://USER@HOST:PORT/DATABASE, with libpq's parameters behind "?".

    Raises InvalidDatabaseUrl; no message repeats what may be a password.
    """
    try:
        parts = urlsplit(url)
        parameters = {name for name, _ in parse_qsl(parts.query)}
    except ValueError:
        raise InvalidDatabaseUrl("The database's URL cannot be read.") from None
    if parts.scheme not in _SCHEMES:
        raise InvalidDatabaseUrl("The database's URL does not begin with postgresql://.")
    user, _, _ = parts.netloc.rpartition("@")
    if ":" in user or parameters & _SECRETS:
        raise InvalidDatabaseUrl(
            "The database's URL has a password in it.",
            hint="Leave it out: it is taken from PGPASSWORD, ~/.pgpass (PGPASSFILE) or a service file.",
        )
    return url


def place(url: str) -> str:
    """Host and database of a checked URL, for messages."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or "the local server"
