"""Pagination: follows the next links of a list until there are as many items as the flow asks for.

Source: Logic Apps, "Get more items with pagination" (`runtimeConfiguration.paginationPolicy.minimumItemCount`); the
links of the OData protocol and of the guidelines that Azure's services follow: a body with `value` and
`@odata.nextLink` or `nextLink`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from ..port import ConnectorError, ConnectorResponse

_LINKS: Final = ("@odata.nextLink", "nextLink", "odata.nextLink")


def wanted(settings: Mapping[str, Any]) -> int:
    """How many items the flow asks for, 0 without a pagination policy."""
    policy = settings.get("paginationPolicy")
    if not isinstance(policy, dict):
        return 0
    count = policy.get("minimumItemCount")
    if isinstance(count, str) and count.isascii() and count.strip().isdigit():
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ConnectorError("InvalidInput", "The 'minimumItemCount' of a pagination policy must be a whole number.")
    return count


async def gather(
    first: ConnectorResponse, count: int, fetch: Callable[[str], Awaitable[ConnectorResponse]]
) -> ConnectorResponse:
    """The first reply with the items of the following ones, until there are `count` or no more; `fetch` gets the page
    behind a link.

    A page that fails is the answer. The last page's link stays in the body where there would have been more.
    """
    body = first.body
    if not isinstance(body, dict) or not isinstance(body.get("value"), list):
        return first
    items = list(body["value"])
    page: dict[str, Any] = body
    seen: set[str] = set()
    while len(items) < count:
        link = _link(page)
        if link is None or link in seen:
            break
        seen.add(link)
        reply = await fetch(link)
        if not 200 <= reply.status_code <= 299:
            return reply
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("value"), list):
            raise ConnectorError("InvalidResponse", "A page of the list has no 'value' with items in it.")
        page = reply.body
        items += page["value"]
    whole = {name: value for name, value in body.items() if name not in _LINKS}
    whole["value"] = items
    whole.update((name, page[name]) for name in _LINKS if name in page)
    return ConnectorResponse(first.status_code, first.headers, whole)


def _link(page: dict[str, Any]) -> str | None:
    return next((page[name] for name in _LINKS if isinstance(page.get(name), str) and page[name]), None)
