"""What the language inherits from .NET: date and number formats, cultures and time zones.

Pure functions of plain values, without knowledge of expressions, flows or the clock. They raise `FormatError`
(`faults`), and the expression functions word the message. Import single modules: most flows need few of them.
"""

from __future__ import annotations
