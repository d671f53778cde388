"""What published scripts need to run: the variables, subflows, files and answers that the rest of their flow, or its
machine, would have given them; and what they come to.

Most are the text of one subflow. It is run as that subflow of a flow made here: the variables are set, it is called,
and what it leaves in variables are the flow's outputs. `@name` as a subflow's text is another published one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

OUTPUT: Final = "@OUTPUT {name} : {{ 'Description': '', 'FriendlyName': '{name}' }}\n"


@dataclass(frozen=True)
class Case:
    """One script. `file`: what its file's name contains and no other's does. `before`: what is done first.

    `whole`: the file is a flow with declarations, and `inputs` are its inputs. `expect`: outputs as they must be.
    """

    file: str
    before: str = ""
    subflows: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)
    name: str = "Published"
    after: str = ""

    def script(self, texts: Mapping[str, str]) -> str:
        """The flow's text. `texts`: the published scripts by file name."""
        text = text_of(texts, self.file)
        if self.whole:
            return text
        outputs = "".join(OUTPUT.format(name=name) for name in self.expect)
        own = text.lstrip().startswith("FUNCTION ")
        parts = [outputs, self.before, f"\nCALL {self.name}\n{self.after}", text if own else _function(self.name, text)]
        for name, body in self.subflows.items():
            parts.append(_function(name, text_of(texts, body[1:]) if body.startswith("@") else body))
        return "\n".join(parts)


def _function(name: str, body: str) -> str:
    return f"FUNCTION {name} GLOBAL\n{body}\nEND FUNCTION\n"


def text_of(texts: Mapping[str, str], part: str) -> str:
    """The text of the one script whose file's name contains `part`."""
    found = [text for name, text in texts.items() if part in name]
    assert len(found) == 1, f"{part}: {len(found)} files"
    return found[0]


_NOTHING: Final = "SET ErrorMessage TO ''"
_LOG: Final = {
    "GetSubflowName": "@flow-template-work-queues_source_get-subflow-name",
    "Logger": "Variables.AddItemToList Item: Log_Message List: Seen",
}
_TEMPLATE: Final = """SET Seen TO []
SET List_SubflowNames TO ['Main']
SET FlowName TO 'Invoices'
SET Config_Type TO 'JSON'
SET Config_MaxErrorCountObject TO { 'Web': 3, 'Excel': 3 }
SET WorkItem_Id TO ''
SET WorkItem_Number TO 'W-1'
"""
_LOGGED: Final = {"Seen": ["INFO;;;Start", "INFO;;;End"], "List_SubflowNames": ["Main"]}
_CONFIG: Final = """{ ^['Flow Name', 'Property Name', 'Value'], ['General', 'Environment', 'TEST'],
""".replace("\n", " ")
_DATABASE: Final = "Driver={SQLite3 ODBC Driver};Database=C:\\queue.db;"
_CONNECTION: Final = "SET Input_ConnectionString TO $'''Driver={SQLite3 ODBC Driver};Database=C:\\\\queue.db;'''\n"


def _template(part: str, before: str = "", subflows: Mapping[str, str] | None = None, **expect: Any) -> Case:
    """A subflow of the template of flows: it logs its start and end, and keeps a list of the subflows it is in."""
    return Case(part, _TEMPLATE + before, {**_LOG, **(subflows or {})}, {**_LOGGED, **expect})


_CONVERT: Final = "@config-reader-cloud-connectors_source_convert-tabular"
_STATUSES: Final = "@work-item-handler_source_sqlite-get-statuses"

CASES: Final = (
    Case(
        "_convert-tabular-config-to-custom-object",
        f"SET Table_ConfigData TO {_CONFIG}['Invoices', 'URL', 'u'], ['Invoices', 'Retries', 3], ['', '', ''] }}\n",
        expect={"Output_ConfigObject": {"Flows": {"Invoices": {"URL": "u", "Retries": 3}}, "Environment": "TEST"}},
    ),
    Case(
        "config-reader-cloud-connectors_source_main",
        "SET Input_ConfigType TO 'SharePoint'\n",
        {"ReadSharePointConfig": _NOTHING, "ReadDataverseConfig": "SET ErrorMessage TO 'wrong'"},
        {"Output_Status": 200, "Output_Message": "Successfully retrieved config values."},
    ),
    Case(
        "_read-excel-config",
        "SET Input_ConfigAddress TO $'''C:\\\\config.xlsx'''\nSET Input_ConfigPath TO 'Config'\n"
        "SET Input_ConfigType TO 'Excel'\n",
        {"RunExcelCloser": "SET ErrorMessage TO 'closed badly'", "ConvertTabularConfigToCustomObject": _CONVERT},
        {"Output_ConfigObject": {"Flows": {"Invoices": {"Retries": 3}}, "Environment": "TEST"}},
    ),
    Case(
        "_read-json-config",
        "SET Input_ConfigPath TO $'''C:\\\\config.json'''\n",
        expect={"Output_ConfigObject": {"Environment": "TEST", "Limits": [1, 2.5]}},
    ),
    Case(
        "_create-attachments-object",
        "SET Input_Attachments TO [$'''C:\\\\note.txt''']\n",
        expect={"List_AttachmentObjects": [{"Name": "note.txt", "ContentBytes": "aGVsbG8="}]},
    ),
    Case(
        "email-sender_source_main",
        "SET Input_MailboxType TO 'SMTP'\nSET Input_EmailSubject TO 'Hi'\nSET Input_EmailRecipient TO 'a@b.example'\n",
        {
            "SetEmailBody": _NOTHING,
            "SendEmailViaExchange": _NOTHING,
            "SendEmailViaOutlook": _NOTHING,
            "SendEmailViaSMTP": "SET Sent TO True",
        },
        {"Output_Status": 200, "Sent": True},
    ),
    Case(
        "browser-closer_source_main",
        "SET Input_Browser TO 'Opera'\nSET Closed TO 0\n",
        dict.fromkeys(("CloseChrome", "CloseEdge", "CloseFirefox"), "SET Closed TO Closed + 1"),
        {"Output_Status": 200, "Closed": 3},
    ),
    _template(
        "_execute-excel-flow",
        "SET Config_FlowObject TO { 'ExcelDocument': $'''C:\\\\config.xlsx''' }\n",
        {"CloseExcel": _NOTHING},
        ErrorMessage="",
        ErrorCount=0,
    ),
    _template(
        "_execute-main-flow",
        subflows={"PrepareSystem": _NOTHING, "ProcessWorkItems": "SET Processed TO True"},
        Processed=True,
    ),
    _template("_generate-work-items", subflows={"SerializeWorkItem": _NOTHING, "InsertWorkItem": _NOTHING}),
    _template(
        "_get-flow-settings",
        "SET Config_Environment TO ''\nSET Config_Object TO { 'Flows': { 'Invoices': { 'Environment': 'TEST',"
        " 'MaxErrorCount': { 'Web': 1 }, 'Recipient': { 'To': 'a@b.example' } } } }\n",
        Config_MaxErrorCountObject={"Web": 1},
        Config_RecipientObject={"To": "a@b.example"},
        Seen=["INFO;;;Start", "INFO;;;Environment is TEST", "INFO;;;End"],
    ),
    Case(
        "_get-subflow-name",
        "SET List_SubflowNames TO []\nText.ToNumber Text: 'x' Number=> n\nON ERROR\nEND\n",
        expect={"List_SubflowNames": ["Main"]},
    ),
    Case(
        "flow-template-work-queues_source_init",
        expect={"Config_Path": "C:\\RPA\\{ReplaceMe}\\Config\\Config.json", "Output_IsSuccess": False},
    ),
    _template("_login-to-webpage"),
    _template("_prepare-system", subflows={"CloseBrowser": _NOTHING, "CloseExcel": "SET Closed TO True"}, Closed=True),
    _template(
        "_serialize-work-item",
        "SET WorkItem_DataSource TO 'mail'\n",
        WorkItem_DataContent='{"DataSource":"mail"}',
    ),
    _template("_execute-web-flow", subflows={"TakeScreenshot": _NOTHING, "PrepareWebPage": _NOTHING}, ErrorCount=1),
    _template(
        "flow-template_source_process-work-items",
        "SET Left TO 2\n",
        {
            "ResetVariables": _NOTHING,
            "GetWorkItem": "SET WorkItem_Id TO ''\nIF Left > 0 THEN\nSET WorkItem_Id TO Left\n"
            "SET Left TO Left - 1\nEND",
            "ProcessWorkItem": "SET WorkItem_Status TO 'Success'\nSET WorkItem_Message TO 'done'",
            "CleanupOnError": _NOTHING,
            "CompleteWorkItem": _NOTHING,
        },
        Left=0,
        Seen=[
            "INFO;;;Start",
            "DEBUG;;;Work item W-1/2 status=(WorkItem_Status=Success;WorkItem_Message=done)",
            "DEBUG;;;Work item W-1/1 status=(WorkItem_Status=Success;WorkItem_Message=done)",
            "INFO;;;No work items to process.",
            "INFO;;;End",
        ],
    ),
    Case(
        "_log-to-csv",
        "SET CurrentDateTime TO $'''%d\"2026-02-03 04:05:06\"%'''\nSET Input_LogPath TO $'''C:\\\\log.csv'''\n"
        "SET Input_LoggerObject TO { 'LogLevels': ['INFO'] }\nSET Log_Level TO 'info'\nSET Input_ProjectName TO 'P'\n"
        "SET Input_FlowName TO 'F'\nSET Log_SubflowName TO 'S'\nSET Log_Message TO 'm'\n",
        expect={"Log_Timestamp": "2026-02-03T04:05:06.000"},
    ),
    Case(
        "_log-to-database.txt",
        "SET Input_LogAddress TO $'''Driver={SQLite3 ODBC Driver};Database=C:\\\\queue.db;'''\n"
        "SET Input_LogPath TO 'Log'\n"
        "SET Log_Level TO 'INFO'\nSET Log_MachineName TO 'M'\nSET Input_ProjectName TO 'P'\nSET Input_FlowName TO 'F'\n"
        "SET Log_SubflowName TO 'S'\nSET Log_Message TO 'm'\nSET Input_LogType TO 'Database'\n",
        expect={"ErrorMessage": ""},
    ),
    Case(
        "work-item-handler_source_init",
        "".join(
            f"SET Input_{name} TO 'it''s'\n".replace("''", "\\'")
            for name in (
                "ProjectName",
                "FlowName",
                "WorkItemNumber",
                "WorkItemDataSource",
                "WorkItemReason",
                "WorkItemMessage",
                "WorkItemId",
                "WorkItemPriority",
                "WorkItemProcessingStartTime",
            )
        )
        + "SET Input_WorkItemData TO { 'a': 1 }\n",
        expect={"Output_WorkItemNumber": "it''s", "Output_WorkItemId": "it's", "Output_WorkItemData": {"a": 1}},
    ),
    Case(
        "_sqlite-get-priority-id",
        _CONNECTION + "SET Input_WorkItemPriority TO 'High'\n",
        expect={"PriorityId": 2},
    ),
    Case("_sqlite-get-project-id", _CONNECTION + "SET Input_ProjectName TO 'P-1'\n", expect={"ProjectId": 1}),
    Case(
        "_sqlite-get-statuses",
        _CONNECTION + "SET Input_DatabaseType TO 'SQLite'\n",
        expect={"Status_Object": {"Success": 1, "Fail": 2}},
    ),
    Case(
        "_sqlite-update-work-item-status",
        _CONNECTION
        + "SET Input_WorkItemStatus TO 'Fail'\nSET Input_WorkItemId TO 7\nSET Input_DatabaseType TO 'SQLite'\n",
        {"SQLiteGetStatuses": _STATUSES},
        {"ErrorMessage": ""},
    ),
    Case(
        "_sqlite-upsert-work-item",
        _CONNECTION + "SET Input_WorkItemNumber TO 'W-9'\nSET Input_ProjectName TO 'P-1'\nSET Input_FlowName TO 'F'\n"
        "SET Input_WorkItemData TO { 'q': 'it\\'s' }\nSET Input_WorkItemDataSource TO 'mail'\n"
        "SET Input_WorkItemPriority TO 'High'\nSET Input_WorkItemOperation TO 'Upsert'\nSET Output_WorkItemId TO ''\n",
        {
            "SQLiteGetUnprocessedWorkItem": "Database.ExecuteSqlStatement.ConnectAndExecute ConnectionString: "
            "Input_ConnectionString Statement: $'''SELECT Id FROM WorkItem "
            "WHERE Number = \\'%Input_WorkItemNumber%\\''''"
            " Timeout: 30 Result=> T\nIF T.IsEmpty = False THEN\nSET Output_WorkItemId TO T[0]['Id']\nEND",
            "SQLiteGetProjectId": "@work-item-handler_source_sqlite-get-project-id",
            "SQLiteGetFlowId": "SET FlowId TO 1",
            "SQLiteGetPriorityId": "@work-item-handler_source_sqlite-get-priority-id",
        },
        {"Output_WorkItemId": 8, "ErrorMessage": ""},
    ),
    Case(
        "_PADFramework_WorkItemHandler",
        whole=True,
        inputs={
            "Input_WorkItemOperation": "Upsert",
            "Input_DatabaseType": "SQLite",
            "Input_ConnectionString": _DATABASE,
            "Input_WorkItemNumber": "W-10",
            "Input_WorkItemData": {"a": 1},
            "Input_WorkItemDataSource": "mail",
            "Input_ProjectName": "P-1",
            "Input_FlowName": "F",
            "Input_WorkItemPriority": "Normal",
        },
        expect={"Output_Status": 200, "Output_WorkItemNumber": "W-10"},
    ),
    Case(
        "_run-excel-closer",
        "SET Input_ConfigAddress TO 'book.xlsx'\n",
        expect={"Output_Status": 200, "ErrorMessage": ""},
    ),
    Case(
        "_logger.txt",
        _TEMPLATE + "SET Log_Message TO 'INFO;;;began'\nSET Log_Type TO 'SharePoint List'\nSET Log_Path TO 'Log'\n"
        "SET Log_Address TO 'https://contoso.example'\nSET ProjectName TO 'P-1'\nSET List_ErrorMessages TO []\n"
        "SET Config_LoggerObject TO { 'LogLevels': ['INFO'], 'ErrorLogLevels': ['ERROR'] }\n",
        expect={"Log_Message": "", "Output_Message": "", "ErrorMessage": ""},
    ),
    _template(
        "_take-screenshot",
        "SET Config_ScreenshotsPath TO 'C:'\n",
        Seen=["INFO;;;Start", "DEBUG;;;Successfully took screenshot `W-1.png`", "INFO;;;End"],
    ),
    _template(
        "_handle-work-item",
        "SET WorkItem_Operation TO 'Get'\nSET WorkItem_DataContent TO {{ }}\nSET WorkItem_Status TO ''\n"
        "SET WorkItem_Message TO ''\nSET WorkItem_DataSource TO ''\nSET ProjectName TO 'P-1'\nSET FlowName TO 'F'\n"
        "SET Config_Object TO { 'WorkItemDatabaseType': 'SQLite', 'WorkItemDatabaseConnectionString': "
        "{ 'Config_Environment': "
        "$'''Driver={SQLite3 ODBC Driver};Database=C:\\\\queue.db;''' } }\nSET WorkItem_ProcessingStartTime TO ''\n"
        "SET WorkItem_Reason TO ''\nSET Config_MaxErrorCountObject TO { 'WorkItem': 3 }\nSET Config_Environment TO ''\n"
        "SET WorkItem_Priority TO ''\n",
        Output_Status=200,
        WorkItem_Number="W-9",
        WorkItem_DataContent={"q": "it's"},
        WorkItem_RetrieveCount=1,
    ),
    Case(
        "_read-sharepoint-config",
        "SET Input_ConfigAddress TO 'https://contoso.example'\nSET Input_ProjectName TO 'P-1'\n"
        "SET Input_ConfigPath TO 'Config'\nSET Input_ConfigType TO 'SharePoint'\n",
        {"ConvertTabularConfigToCustomObject": _CONVERT},
        {"Output_ConfigObject": {"Flows": {"Invoices": {"Retries": 3}}}},
    ),
    Case(
        "_log-to-sharepoint",
        "SET Input_LogAddress TO 'https://contoso.example'\nSET Input_LogPath TO 'Log'\nSET Log_Level TO 'INFO'\n"
        "DateTime.GetCurrentDateTime.Local DateTimeFormat: DateTime.DateTimeFormat.DateAndTime CurrentDateTime=> "
        "CurrentDateTime\nSET Log_MachineName TO 'M'\nSET Input_ProjectName TO 'P-1'\nSET Input_FlowName TO 'F'\n"
        "SET Log_SubflowName TO 'S'\nSET Log_Message TO 'by itself'\nSET Input_LogType TO 'SharePoint List'\n",
        expect={"ErrorMessage": ""},
    ),
    Case(
        "email-sender-o365-outlook_source_main",
        "SET Input_Attachments TO [$'''C:\\\\note.txt''']\nSET Input_EmailRecipient TO 'a@b.example'\n"
        "SET Input_EmailSubject TO 'Hi'\nSET Input_EmailRecipientCC TO ''\n",
        {
            "SetEmailBody": "SET HTMLEmailBody TO '<p>Hi</p>'",
            "CreateAttachmentsObject": "@email-sender-o365-outlook_source_create-attachments-object",
        },
        {"Output_Status": 200},
    ),
    Case(
        "_PADFramework_ConfigReaderCloudConnectors",
        whole=True,
        inputs={
            "Input_ConfigType": "SharePoint",
            "Input_ConfigPath": "Config",
            "Input_ProjectName": "P-1",
            "Input_ConfigAddress": "https://contoso.example",
        },
        expect={"Output_Status": 200},
    ),
    Case(
        "_PADFramework_EmailSenderO365Outlook",
        whole=True,
        inputs={"Input_EmailMessage": "Hello", "Input_EmailRecipient": "c@d.example", "Input_EmailSubject": "Hi"},
        expect={"Output_Status": 200},
    ),
    Case(
        "_PADFramework_LoggerCloudConnectors",
        whole=True,
        inputs={
            "Input_SubflowNamesList": ["Main", "Work"],
            "Input_LogPath": "Log",
            "Input_LogMessage": "ERROR;;;it broke",
            "Input_LoggerObject": {"LogLevels": ["ERROR"], "ErrorLogLevels": ["ERROR"]},
            "Input_ErrorMessageList": [],
            "Input_LogType": "SharePoint List",
            "Input_FlowName": "F",
            "Input_ProjectName": "P-1",
            "Input_LogAddress": "https://contoso.example",
        },
        expect={"Output_ErrorMessage": None},  # it is sensitive
    ),
    Case("02-file-management", expect={"SummaryText": "CSV=2 ; TXT=1 ; IGNORED=1 ;  Done"}),
    Case("CH05_-_List_and_List_entries", expect={"NewVar": ["Mercedes", "Aston Martin", "BMW"]}),
    Case(
        "CH05_-_Variables.txt",
        "SET op1 TO 2\nSET op2 TO 3\nSET username TO 'Ada'\n",
        expect={"output1": 5},
    ),
    Case("CH05_-_Variables_-_Lists", expect={"ButtonPressed": "OK"}),
    Case(
        "CH06_-_MS_Access_-_ExtractNewOrders",
        "Text.CreateHTMLContent HtmlEditor: $'''A\tB\tC\tD\tE\tF\tG\tH\tI\n1\tb\tc\td\te\tf\tg\th\ti\n"
        "2\tb\tc\td\te\tf\tg\th\tj''' HtmlContent=> Copied\nClipboard.SetText Text: Copied\n",
        expect={"Text": "1, b, c, d, e, f, g, h, i, \r\n2, b, c, d, e, f, g, h, j, "},
        name="ExtractNewOrders",
        after="SET Text TO $'''%NewOrders%'''\n",
    ),
    Case(
        "Chapter_07_UI_Flows_main",
        "SET Called TO 0\n",
        dict.fromkeys(
            ("LaunchPPT", "CreateSlide1", "SystemInfoScreenshot", "CreateSlide2", "SaveAndClosePPT"),
            "SET Called TO Called + 1",
        ),
        {"Called": 5},
        name="Main_copy",
    ),
    Case(
        "_B0_DeleteNonexistingTextfiles",
        "SET SelectedFolder TO $'''C:\\\\repository'''\n"
        "Text.ConvertTextToDateTime.ToDateTime Text: $'''2026-01-01''' DateTime=> CurrentDateTimeStart\n",
        expect={},
    ),
    Case(
        "_C0_ReplaceCharacters",
        "SET TextToBeModified TO 'ab$'\n",
        expect={"ReplacedText": "ab`$", "TextToBeModified": ""},
    ),
    Case(
        "_D0_CreateNewVersionNumber",
        "SET SelectedFolder TO $'''C:\\\\repository'''\nSET HighestVersion TO 'v1.2.3'\nSET CommitText TO 'text'\n"
        "SET CustomFormData TO { 'VersionChange': 2 }\nSET Definitions TO { 'TagVersionMinorChanges': True,"
        " 'TagVersionMajorChanges': True, 'TagVersionBugfixes': False }\n",
        {"D1_WriteVersionToFlowCode": "SET Written TO NewVersionNumber"},
        {"Written": "v1.3.0", "CommitText": "v1.3.0 - text", "PushTagRemote": True},
    ),
)

_OUTCOME: Final = OUTPUT.format(name="Output_Message") + OUTPUT.format(name="Output_Status")
_INPUT: Final = "@INPUT {name} : {{ 'Description': '', 'FriendlyName': '{name}' }}\n"
CALLED: Final = {
    "{ReplaceWithExcelCloserFlowId}": _INPUT.format(name="Input_FilePath") + _OUTCOME + "SET Output_Status TO 200",
    "{ReplaceWithScreenshotMakerFlowId}": _INPUT.format(name="Input_ScreenshotsDirectory")
    + _INPUT.format(name="Input_ScreenshotFileName")
    + _OUTCOME
    + OUTPUT.format(name="Output_ScreenshotFileName")
    + "SET Output_Status TO 200\nSET Output_ScreenshotFileName TO 'W-1.png'",
    "{ReplaceWithWorkItemHandlerFlowId}": "@_PADFramework_WorkItemHandler",
    "{ReplaceWithLoggerFlowId}": "@_PADFramework_LoggerCloudConnectors",
}
"""Flows that the scripts call, by id: published ones, or stand-ins for what is of Windows only."""

ELSEWHERE: Final = {
    "runs on Windows only": (
        "BrowserCloser", "BrowserLauncher", "ExcelCloser", "close-chrome", "close-edge",
        "send-email-via-outlook", "Lab03", "01b-calculator-basic", "01b-calculator-extended",
        "06-data-table-excel", "07-contoso-invoice-ops",
        "WriteBackInvoiceIDs", "CreateSlide2", "SaveAndClosePPT", "SystemInfoScreen", "PA_SAPGUI",
        "D1_WriteVersionToFlowCode", "604ec4d9", "xml_PADFramework_EmailSender.robin",
    ),
    "needs pages of the public internet": (
        "03-ajax-table", "03-catalog", "03-controls", "static-fx-table", "PA_D365_create_quote", "74393ee6", "e588f1ef",
    ),
    "needs a SQL Server": ("read-database-config", "log-to-database-sp", "sql-server-get-work-item"),
    "calls flows that attach to a browser, or many others": (
        "source_launch-browser", "xml_PADFramework_FlowTemplate.robin", "FlowTemplate_WorkQueues_",
    ),
    "uses actions that are not there yet": ("send-email-via-exchange",),
    "runs in test_desktop_corpus_clouds": ("09_AWS_actions", "09_Azure_actions"),
}  # fmt: skip
"""Why the others are not run, by parts of their files' names."""
