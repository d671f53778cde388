"""The Display module without a display: dialogs are answered by what was prepared, or are the documented errors.

`Settings.answers` names dialogs by title (without regard to case; `*` for all others). An answer is the button or the
value, or an object with the outputs by name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from ....engine.datatypes import Datum, Item, restored
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..files.items import file_item, folder_item
from ..port import Outputs, Table, reads
from ..session import Session

_MISSING: Final = object()


def _answer(arguments: Arguments, session: Session, what: str) -> Any:
    """What was prepared for this dialog. Raises the documented fault where nothing was."""
    title = arguments.text("Title", "") or arguments.text("Description", "")
    known = {name.casefold(): answer for name, answer in session.settings.answers.items()}
    answer = known.get(title.casefold(), known.get("*", _MISSING))
    if answer is _MISSING:
        raise fault(
            f"Can't display {what} in non-interactive mode",
            f"There is nobody to answer '{title}'.",
            hint="An administrator can prepare an answer: sealflow env permissions set ENV --answer 'TITLE=VALUE'.",
        )
    return answer


def _outputs(answer: Any, name: str, value: Datum, button: str = "OK") -> dict[str, Datum]:
    if isinstance(answer, dict):
        given = {key: restored(each) for key, each in answer.items()}
        return {name: value, "ButtonPressed": button, **given}
    return {name: value, "ButtonPressed": button}


def show_message(arguments: Arguments, session: Session) -> Outputs:
    """Display.ShowMessageDialog.*: the button, one of those that the box has."""
    answer = _answer(arguments, session, "message box")
    button = str(answer.get("ButtonPressed", "OK") if isinstance(answer, dict) else answer)
    buttons = arguments.text("Buttons", "OK").rsplit(".", 1)[-1]
    for known in _BUTTONS.get(buttons.casefold(), ("OK",)):
        if known.casefold() == button.casefold():
            return {"ButtonPressed": known}
    raise fault("Failed to display message box", f"'{button}' is no button of a box with {buttons}.")


_BUTTONS: Final = {
    "ok": ("OK",),
    "okcancel": ("OK", "Cancel"),
    "yesno": ("Yes", "No"),
    "yesnocancel": ("Yes", "No", "Cancel"),
    "retrycancel": ("Retry", "Cancel"),
    "abortretryignore": ("Abort", "Retry", "Ignore"),
}


def input_dialog(arguments: Arguments, session: Session) -> Outputs:
    """Display.InputDialog."""
    answer = _answer(arguments, session, "input dialog")
    value = answer.get("UserInput", "") if isinstance(answer, dict) else answer
    return _outputs(answer, "UserInput", str(value))


def select_date(arguments: Arguments, session: Session) -> Outputs:
    """Display.SelectDateDialog.*"""
    answer = _answer(arguments, session, "date selection dialog")
    given = answer if isinstance(answer, dict) else {"SelectedDate": answer}
    dates = {name: _date(value) for name, value in given.items() if name != "ButtonPressed"}
    return {"ButtonPressed": str(given.get("ButtonPressed", "OK")), **dates}


def _date(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        raise fault("Failed to display date selection dialog", f"'{text}' is no date (YYYY-MM-DD).") from None


def select_file(arguments: Arguments, session: Session) -> Outputs:
    """Display.SelectFileDialog.*"""
    answer = _answer(arguments, session, "file selection dialog")
    many = arguments.selector.casefold() == "selectfiles"
    given = answer.get("SelectedFiles" if many else "SelectedFile", "") if isinstance(answer, dict) else answer
    files: list[Datum] = [
        file_item(resolved(str(each), session), session) for each in (given if isinstance(given, list) else [given])
    ]
    return {"SelectedFiles" if many else "SelectedFile": files if many else files[0], "ButtonPressed": "Open"}


def select_folder(arguments: Arguments, session: Session) -> Outputs:
    """Display.SelectFolder."""
    answer = _answer(arguments, session, "folder selection dialog")
    given = answer.get("SelectedFolder", "") if isinstance(answer, dict) else answer
    return {"SelectedFolder": folder_item(resolved(str(given), session), session), "ButtonPressed": "OK"}


def select_from_list(arguments: Arguments, session: Session) -> Outputs:
    """Display.SelectFromListDialog.*: the answer must be in the list, unless it may be new."""
    answer = _answer(arguments, session, "selection dialog")
    options = [_text(option) for option in arguments.list("List", [])]
    if arguments.selector.casefold() == "selectitemsfromlist":
        given = answer.get("SelectedItems", []) if isinstance(answer, dict) else answer
        chosen = [str(each) for each in (given if isinstance(given, list) else [given])]
        places: list[Datum] = [_place(each, options) for each in chosen]
        return {"SelectedItems": list(chosen), "SelectedIndexes": places, "ButtonPressed": "OK"}
    given = str(answer.get("SelectedItem", "") if isinstance(answer, dict) else answer)
    free = arguments.selector.casefold() == "selectfromlistorinsertvalue"
    place = options.index(given) if given in options else -1 if free else _place(given, options)
    return {"SelectedItem": given, "SelectedIndex": place, "ButtonPressed": "OK"}


def _place(given: str, options: list[str]) -> int:
    if given not in options:
        raise fault("Failed to display selection dialog", f"'{given}' is not in the list.")
    return options.index(given)


def _text(value: Datum) -> str:
    return value.text if isinstance(value, Item) else str(value)


def custom_form(arguments: Arguments, session: Session) -> Outputs:
    """Display.ShowCustomDialog: the form's data as a custom object, which the answer has to be."""
    answer = _answer(arguments, session, "custom form")
    if not isinstance(answer, dict):
        raise Fault("FailedToDisplayCustomFormError", "The answer to a form must be an object of its inputs by id.")
    data = {name: restored(value) for name, value in answer.items() if name != "ButtonPressed"}
    return {"CustomFormData": data, "ButtonPressed": str(answer.get("ButtonPressed", "Submit"))}


TABLE: Table = {
    "Display.ShowMessageDialog.ShowMessage": reads(show_message),
    "Display.ShowMessageDialog.ShowMessageWithTimeout": reads(show_message),
    "Display.InputDialog": reads(input_dialog),
    "Display.SelectDateDialog.SelectDate": reads(select_date),
    "Display.SelectDateDialog.SelectDateRange": reads(select_date),
    "Display.SelectFileDialog.SelectFile": reads(select_file),
    "Display.SelectFileDialog.SelectFiles": reads(select_file),
    "Display.SelectFolder": reads(select_folder),
    "Display.SelectFromListDialog.SelectFromList": reads(select_from_list),
    "Display.SelectFromListDialog.SelectFromListOrInsertValue": reads(select_from_list),
    "Display.SelectFromListDialog.SelectItemsFromList": reads(select_from_list),
    "Display.ShowCustomDialog": reads(custom_form),
}
