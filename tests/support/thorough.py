"""How thorough the acceptance tests are: the suite takes samples, `SEALFLOW_TEST_LONG=1` takes everything."""

from __future__ import annotations

import os
from typing import Final

LONG: Final = os.environ.get("SEALFLOW_TEST_LONG", "") not in ("", "0")
