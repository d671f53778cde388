"""What exists and what of it is built: types of actions and triggers, their kinds and options.

Tables only. Sources: Logic Apps, "workflow actions and triggers" reference and the documents of the B2B, AI and
inline code actions; kinds and OpenApi types of Power Automate from exported flows.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def _by_key(*names: str) -> dict[str, str]:
    return {name.lower(): name for name in names}


CONNECTORS = _by_key(
    "ApiConnection",
    "ApiConnectionWebhook",
    "ApiManagement",
    "Function",
    "OpenApiConnection",
    "OpenApiConnectionWebhook",
    "ServiceProvider",
)

VARIABLES = _by_key(
    "AppendToArrayVariable",
    "AppendToStringVariable",
    "DecrementVariable",
    "IncrementVariable",
    "InitializeVariable",
    "SetVariable",
)

CONTAINERS = _by_key("Foreach", "If", "Scope", "Switch", "Until")

ACTIONS = {
    **CONNECTORS,
    **VARIABLES,
    **CONTAINERS,
    **_by_key(
        "Compose",
        "Expression",
        "Http",
        "Join",
        "ParseJson",
        "Query",
        "Response",
        "Select",
        "Table",
        "Terminate",
        "Wait",
        "Workflow",
    ),
}
"""Actions this version runs, by lower-case type."""

ACTIONS_LATER = _by_key(
    "AS2Decode",
    "AS2Encode",
    "Agent",
    "AgentHandoff",
    "ApiConnectionNotification",
    "Batch",
    "CSharpScriptCode",
    "ChunkText",
    "ChunkTextWithMetadata",
    "EdifactDecode",
    "EdifactEncode",
    "FlatFileDecoding",
    "FlatFileEncoding",
    "HttpWebhook",
    "IntegrationAccountArtifactLookup",
    "InvokeFunction",
    "JavaScriptCode",
    "Liquid",
    "OpenApiConnectionNotification",
    "ParseDocument",
    "ParseDocumentWithMetadata",
    "PowershellCode",
    "RosettaNetDecode",
    "RosettaNetEncode",
    "RosettaNetWaitForResponse",
    "SendToBatch",
    "SwiftMTDecode",
    "SwiftMTEncode",
    "X12Decode",
    "X12Encode",
    "XmlCompose",
    "XmlParse",
    "XmlValidation",
    "Xslt",
)
"""Actions the hosts know and this version refuses."""

TRIGGERS = _by_key(
    "ApiConnection",
    "ApiConnectionNotification",
    "ApiConnectionWebhook",
    "ApiManagement",
    "Batch",
    "Http",
    "HttpWebhook",
    "Manual",
    "OpenApiConnection",
    "OpenApiConnectionNotification",
    "OpenApiConnectionWebhook",
    "Recurrence",
    "Request",
    "ServiceProvider",
    "SlidingWindow",
)
"""Every trigger: any of them can be started by hand."""

CALLED_TRIGGERS = frozenset({"request", "manual"})
"""Triggers that are a call; the others fire by themselves, which comes later."""

RESPONSE_KINDS = _by_key("Http", "PowerApp", "Skills", "VirtualAgent")

EXPRESSION_INPUTS: dict[str, tuple[str, ...]] = {
    "addtotime": ("baseTime", "interval", "timeUnit"),
    "subtractfromtime": ("baseTime", "interval", "timeUnit"),
    "getfuturetime": ("interval", "timeUnit"),
    "getpasttime": ("interval", "timeUnit"),
    "currenttime": (),
    "converttimezone": ("baseTime", "sourceTimeZone", "destinationTimeZone"),
    "formatnumber": ("number", "format"),
    "indexof": ("text", "searchText"),
    "substring": ("text", "startIndex"),
}
"""Kinds of the Expression action, with the inputs each must have."""

EXPRESSION_KINDS = _by_key(
    "AddToTime",
    "ConvertTimeZone",
    "CurrentTime",
    "FormatNumber",
    "GetFutureTime",
    "GetPastTime",
    "IndexOf",
    "Substring",
    "SubtractFromTime",
)

OPTIONS = _by_key(
    "Asynchronous",
    "DisableAsyncPattern",
    "EnableSchemaValidation",
    "FailWhenLimitsReached",
    "IncludeAuthorizationHeadersInOutputs",
    "Sequential",
    "SingleInstance",
    "SuppressWorkflowHeaders",
    "SuppressWorkflowHeadersOnResponse",
)
"""`operationOptions` that are built."""

TIMED = frozenset({"http", "workflow", "wait", "until", *CONNECTORS})
"""Actions whose `limit.timeout` is kept; any other's is refused rather than ignored."""

RETRIED = frozenset({"http", "httpwebhook", "workflow", *CONNECTORS})
"""Actions and triggers that may have a `retryPolicy`."""

CALLS = frozenset({"http", *CONNECTORS})
"""Types that make a call, which can be paged and has options of its own."""

RUNTIME_ACTIONS = frozenset(
    {"concurrency", "staticResult", "secureData", "contentTransfer", "paginationPolicy", "requestOptions"}
)
"""Parts of an action's `runtimeConfiguration` that are built."""

RUNTIME_TRIGGERS = frozenset({"secureData", "staticResult", "contentTransfer"})
"""Parts of a trigger's `runtimeConfiguration` that are built."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` most like `name`, whatever the case."""
    spelled = {each.lower(): each for each in names}
    # Names come from untrusted text and similarity is quadratic in the length.
    found = difflib.get_close_matches(name[:80].lower(), spelled, n=1, cutoff=0.7)
    return spelled[found[0]] if found else None
