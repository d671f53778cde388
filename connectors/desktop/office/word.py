"""The Word module: documents opened, read, written to and saved, without Word."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from docx import Document

from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.held import opened, written
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .documents import asked, destination, saves

KIND: Final = "WordInstance"


class Opened:
    """An open document; `path` None of a new one."""

    def __init__(self, document: Any, path: Path | None) -> None:
        self.document = document
        self.path = path

    def close(self) -> None:
        """Forgets the document; nothing is saved."""
        self.document = None


def launch(arguments: Arguments, session: Session) -> Outputs:
    """Word.LaunchWord.*: a new document, or the one at Path."""
    path = asked(arguments, session)
    if path is None:
        return {"Instance": session.keep(KIND, Opened(Document(), None))}
    try:
        with opened(session.folders, path) as file:
            return {"Instance": session.keep(KIND, Opened(Document(file), path))}
    except Exception as error:  # a damaged package breaks its readers in many ways
        if isinstance(error, Fault):
            raise
        raise fault("Failed to open Word document", f"'{path.name}' is no document that can be read.") from error


def _opened(arguments: Arguments, session: Session) -> Opened:
    return session.use(arguments.item("Instance", KIND), Opened)


def read(arguments: Arguments, session: Session) -> Outputs:
    """Word.ReadFromWord.Read: the text, a line for each paragraph."""
    document = _opened(arguments, session).document
    return {"WordData": "\r\n".join(paragraph.text for paragraph in document.paragraphs)}


def write(arguments: Arguments, session: Session) -> Outputs:
    """Word.WriteToWord.*: at the start or the end of the document."""
    try:
        _write(_opened(arguments, session).document, arguments)
    except ValueError as error:
        raise fault("Failed to write to Word document", "The text holds characters that no document has.") from error
    return None


def _write(document: Any, arguments: Arguments) -> None:
    lines = arguments.text("Text", "").replace("\r\n", "\n").split("\n")
    new_line = arguments.boolean("AppendNewLine", False)
    if arguments.selector.casefold() == "writestartofdocument" and document.paragraphs:
        first = document.paragraphs[0]
        if not new_line:
            first.text = lines.pop() + first.text
        for line in lines:
            first.insert_paragraph_before(line)
        return
    if not new_line and document.paragraphs:
        document.paragraphs[-1].add_run(lines[0])
        lines = lines[1:]
    for line in lines:
        document.add_paragraph(line)


def save(arguments: Arguments, session: Session) -> Outputs:
    """Word.SaveWord.*"""
    _save(_opened(arguments, session), arguments, session)
    return None


def close(arguments: Arguments, session: Session) -> Outputs:
    """Word.CloseWord.*"""
    document = _opened(arguments, session)
    if saves(arguments):
        _save(document, arguments, session)
    session.drop(arguments.item("Instance", KIND))
    document.close()
    return None


def _save(document: Opened, arguments: Arguments, session: Session) -> None:
    place = destination(arguments, session, document.path, ".docx", "Failed to save Word document")
    if place.suffix.lower() not in (".docx", ".dotx", ".docm"):
        raise fault(
            "Failed to save Word document", f"'{place.suffix}' is no format that can be written here; .docx is."
        )
    try:
        data = BytesIO()
        document.document.save(data)
        written(session.folders, place, data.getvalue())
    except OSError as error:
        raise fault("Failed to save Word document", f"'{place.name}': {error.strerror}.") from error
    document.path = place


TABLE: Table = {
    **{f"Word.LaunchWord.{name}": Operation(launch) for name in ("Launch", "LaunchAndOpen")},
    "Word.ReadFromWord.Read": reads(read),
    **{f"Word.WriteToWord.{name}": Operation(write) for name in ("WriteStartOfDocument", "WriteEndOfDocument")},
    **{f"Word.SaveWord.{name}": Operation(save) for name in ("Save", "SaveAs")},
    **{f"Word.CloseWord.{name}": Operation(close) for name in ("Close", "CloseAndSave", "CloseAndSaveAs")},
}
