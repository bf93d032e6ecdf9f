"""How much memory a process has taken."""

import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Give the most memory that this process ever held, bytes.

    Linux hands ``ru_maxrss`` on through a fork and exec: a child of a large test process begins with its peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
