"""What holds for every test: a busy machine, or one that runs the tests in the background, fails nothing that is right.

Hypothesis measures no time. A runner in the background may have SIGINT ignored, and what tests start inherits that.
"""

from __future__ import annotations

import signal

import hypothesis

hypothesis.settings.register_profile("sealflow", deadline=None)
hypothesis.settings.load_profile("sealflow")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
