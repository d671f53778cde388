"""What holds for every test: Hypothesis measures no time, since a machine that is busy would fail what is right."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("sealflow", deadline=None)
hypothesis.settings.load_profile("sealflow")
