"""What the language inherits from .NET: moments, date and number patterns, cultures and time zones.

Pure functions over plain values; nothing here knows an expression function, a flow or the clock. Everything refuses
with `FormatError` (`faults`), which the functions word for their users. Import from the files: most flows need few.
"""

from __future__ import annotations
