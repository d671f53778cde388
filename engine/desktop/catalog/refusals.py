"""Actions that cannot be run here although their module can: by what they need of Windows, or that is not there any
more. The reference of actions lists them as portable.
"""

from __future__ import annotations

import re
from typing import Final

_NEED_WINDOWS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for pattern, reason in (
        (r"OCR\.CreateMODIEngine", "it needs Office Document Imaging, a component of Windows"),
        (r"OCR\.(IfTextOnScreen|WaitForTextOnScreen)\..*", "it reads the screen of the desktop"),
        (r"OCR\.ExtractTextWithOCR\.\w*(ForegroundWindow|Screen)\w*", "it reads the screen of the desktop"),
        (r"OCR\.ExtractTextWithOCR\.\w*WindowsOcr", "it needs the OCR engine of Windows"),
        (r"WebAutomation\.LaunchInternetExplorer(\..*)?", "it drives Internet Explorer"),
        (r"Scripting\.RunDotNetScript", "it compiles code inside the designer, which needs Windows"),
        (r"CyberArk\.GetPassword\.GetPasswordWithStoreCertificate", "it takes a certificate out of a store of Windows"),
    )
)

_WITHDRAWN: Final = re.compile(r"IBMCognitive\..*", re.IGNORECASE)


def windows_reason(action: str) -> str:
    """Why this action needs Windows, as the end of a sentence; "" where it does not."""
    return next((reason for pattern, reason in _NEED_WINDOWS if pattern.fullmatch(action)), "")


def withdrawn(action: str) -> str:
    """Why the service that this action calls is there no more, as the end of a sentence; "" where it is.

    Source: IBM Cloud announcements: Document Conversion ended in 2017, Visual Recognition in 2021, Tone Analyzer in
    2023, Language Translator in 2024.
    """
    return "IBM has withdrawn the service that it calls" if _WITHDRAWN.fullmatch(action) else ""
