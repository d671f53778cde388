"""What exists and what of it is built: types of actions and triggers, their kinds and options.

Tables only. Sources: Logic Apps, "workflow actions and triggers" reference and the documents of the B2B, AI and
inline code actions; kinds and OpenApi types of Power Automate from exported flows.
"""

from __future__ import annotations

from dataclasses import dataclass


def _by_key(*names: str) -> dict[str, str]:
    return {name.lower(): name for name in names}


CONNECTORS = _by_key(
    "ApiConnection",
    "ApiConnectionNotification",
    "ApiConnectionWebhook",
    "ApiManagement",
    "Function",
    "InvokeFunction",
    "OpenApiConnection",
    "OpenApiConnectionNotification",
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

INLINE = _by_key(
    "FlatFileDecoding",
    "FlatFileEncoding",
    "IntegrationAccountArtifactLookup",
    "JavaScriptCode",
    "Liquid",
    "XmlCompose",
    "XmlParse",
    "XmlValidation",
    "Xslt",
)
"""Scripts, maps and schemas: work done outside of the kernel, in a process of its own."""

CONTAINERS = _by_key("Foreach", "If", "Scope", "Switch", "Until")

ACTIONS = {
    **CONNECTORS,
    **VARIABLES,
    **CONTAINERS,
    **INLINE,
    **_by_key(
        "Compose",
        "Expression",
        "Http",
        "HttpWebhook",
        "Join",
        "ParseJson",
        "Query",
        "Response",
        "Select",
        "SendToBatch",
        "Table",
        "Terminate",
        "Wait",
        "Workflow",
    ),
}
"""Actions this version runs, by lower-case type."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An action of the hosts that is not run: its name, why, and what to do instead."""

    name: str
    reason: str
    instead: str


def _refused(reason: str, instead: str, *names: str) -> dict[str, Refusal]:
    return {name.lower(): Refusal(name, reason, instead) for name in names}


REFUSED = {
    **_refused(
        "it is a conversation with a hosted language model and its tools",
        "Call the model with an Http action or a connector of yours.",
        "Agent",
        "AgentHandoff",
    ),
    **_refused(
        "it needs the agreements, partners and certificates of an integration account",
        "Call a service that holds them, with an Http action or a connector of yours.",
        "AS2Decode",
        "AS2Encode",
        "EdifactDecode",
        "EdifactEncode",
        "RosettaNetDecode",
        "RosettaNetEncode",
        "RosettaNetWaitForResponse",
        "SwiftMTDecode",
        "SwiftMTEncode",
        "X12Decode",
        "X12Encode",
    ),
    **_refused(
        "it needs the host's document analysis and its tokenizers",
        "Use a service for documents, with an Http action or a connector of yours.",
        "ChunkText",
        "ChunkTextWithMetadata",
        "ParseDocument",
        "ParseDocumentWithMetadata",
    ),
    **_refused(
        "it runs code of .NET or PowerShell inside the host's process",
        "Write it as JavaScriptCode, or put the code behind an Http action.",
        "CSharpScriptCode",
        "PowershellCode",
    ),
    **_refused(
        "it is the type of a trigger; as an action it does nothing",
        "Send messages with SendToBatch, to a flow whose trigger is of the type Batch.",
        "Batch",
    ),
}
"""Actions the hosts know and Sealflow does not run (`UnsupportedAction`), by lower-case type."""

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

REQUEST_KINDS = _by_key(
    "Agent",
    "Alert",
    "ApiConnection",
    "AzureMonitorAlert",
    "Button",
    "EventGrid",
    "Geofence",
    "Http",
    "PowerApp",
    "PowerAppV2",
    "SecurityCenterAlert",
    "Skills",
    "TeamsWebhook",
    "VirtualAgent",
)

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
    "None",
    "Sequential",
    "SingleInstance",
    "SuppressWorkflowHeaders",
    "SuppressWorkflowHeadersOnResponse",
)
"""`operationOptions` that are built."""

OPTIONS_WITHOUT_EFFECT = _by_key("DisableAutomaticDecompression")
"""`operationOptions` that the hosts know and nothing here reads."""

TIMED = frozenset({"http", "httpwebhook", "workflow", "sendtobatch", "wait", *CONTAINERS, *CONNECTORS, *INLINE})
"""Actions whose `limit.timeout` is kept; any other's is refused rather than ignored."""

RETRIED = frozenset({"http", "httpwebhook", "workflow", *CONNECTORS})
"""Actions and triggers that may have a `retryPolicy`."""

CALLS = frozenset({"http", *CONNECTORS})
"""Types that make a call, which can be paged and has options of its own."""

RUNTIME_ACTIONS = frozenset(
    {"concurrency", "staticResult", "secureData", "contentTransfer", "paginationPolicy", "requestOptions"}
)
"""Parts of an action's `runtimeConfiguration` that are built."""

RUNTIME_TRIGGERS = frozenset({"concurrency", "secureData", "staticResult", "contentTransfer"})
"""Parts of a trigger's `runtimeConfiguration` that are built."""


LONGEST_INTERVALS = {
    "month": 16,
    "week": 71,
    "day": 500,
    "hour": 12_000,
    "minute": 72_000,
    "second": 9_999_999,
    "year": 1,
}
"""The frequencies of a recurrence, lower-case, with the longest interval that the hosts accept of each."""
