"""Older and shorter ids of actions: what earlier versions of the designer wrote, by what it is called now.

Arguments keep their names. Here are those that no rule gives; beside them the first versions wrote
`Module.Selector` for `Module.Action.Selector` (`Excel.ReadCell`), which `table` works out where it is unambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ALIASES: Final[Mapping[str, str]] = {
    "database.connect": "Database.Connect.Connect",
    "excel.closeandsave": "Excel.CloseExcel.CloseAndSave",
    "excel.launch": "Excel.LaunchExcel.Launch",
    "excel.saveas": "Excel.SaveExcel.SaveAs",
    "excel.saveas.saveas": "Excel.SaveExcel.SaveAs",
    "excel.writecell": "Excel.WriteToExcel.WriteCell",
    "scripting.runjavascript": "Scripting.RunJavascript.RunJavascript",
    "scripting.runpowershellscript": "Scripting.RunPowershellScript.RunPowershellScript",
    "scripting.runvbscript": "Scripting.RunVBScript.RunVBScript",
    "system.rundoscommand": "Scripting.RunDOSCommand.RunDOSCommand",
    "system.runjavascript": "Scripting.RunJavascript.RunJavascript",
    "system.runpowershellscript": "Scripting.RunPowershellScript.RunPowershellScript",
    "system.runpythonscript": "Scripting.RunPythonScript",
    "system.runvbscript": "Scripting.RunVBScript.RunVBScript",
    "uiautomation.click": "UIAutomation.Click.Click",
    "webautomation.dataextraction.getdetailsofelement": "WebAutomation.GetDetailsOfElement",
    "webautomation.formfilling.populatetextfield": "WebAutomation.PopulateTextField.PopulateTextField",
    "webautomation.formfilling.pressbutton": "WebAutomation.PressButton.PressButton",
}
"""By the older id in lower case. `WebAutomation.DataExtraction.*` is `WebAutomation.ExtractData.*` beside these."""

PREFIXES: Final[Mapping[str, str]] = {"webautomation.dataextraction.": "WebAutomation.ExtractData."}
"""Families that changed their middle name only."""
