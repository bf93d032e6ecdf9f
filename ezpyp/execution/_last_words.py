"""Print a message that is still read when the launcher kills this process right after."""

import array
import contextlib
import fcntl
import os
import stat
import sys
import termios
import time

PATIENCE_S = 1.0
FORWARDING_S = 0.05
STDOUT, STDERR = 1, 2


def say_last_words(message: str) -> None:
    """Write a line to stderr, and wait until the launcher has taken it, and all that was said before.

    MPICH's launcher drops what is still in the pipes of a job that aborts: without the wait the traceback was
    lost in one abort of four.
    """
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
    deadline = time.monotonic() + PATIENCE_S
    while (unread_bytes(STDOUT) or unread_bytes(STDERR)) and time.monotonic() < deadline:
        time.sleep(0.001)
    # The pipe is empty once the launcher's local part has the text; it goes on to mpirun from there.
    time.sleep(FORWARDING_S)


def unread_bytes(descriptor: int) -> int:
    """Bytes written to a pipe that its reader has not taken yet; 0 for anything but a pipe."""
    count = array.array("i", [0])
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]
