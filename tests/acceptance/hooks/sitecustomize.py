"""Write down every body of the script that runs, without a change to the script.

Put on ``PYTHONPATH`` by `tests.acceptance.tools.traced`. The file named by ``TRACE_FILE`` gets a line a call.
"""

import os
import sys
import threading
from types import FrameType

WATCHED = frozenset({"alpha", "beta", "gamma"})


def watch(frame: FrameType, event: str, argument: object) -> None:
    """Note the call of a watched function of ``script.py``."""
    code = frame.f_code
    if event == "call" and code.co_name in WATCHED and code.co_filename.endswith("script.py"):
        handle = os.open(os.environ["TRACE_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{code.co_name}\n".encode())
        os.close(handle)


if "TRACE_FILE" in os.environ:
    sys.setprofile(watch)
    threading.setprofile(watch)
