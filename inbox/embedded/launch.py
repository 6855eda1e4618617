"""Becomes another program: as another account, in a session of its own, tied to its parent.

Run as a script by `inbox.embedded.process`, so that nothing has to happen between fork and exec
in a process that has threads. Arguments: parent pid, uid, gid (-1 to stay), signal to get when
the parent dies, then the program and its arguments.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CANNOT_BECOME = 125
CANNOT_EXECUTE = 126


def main() -> None:
    """Replace this process by the program; never returns."""
    parent, uid, gid, farewell = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    os.umask(0o077)
    os.setsid()
    if uid >= 0:
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError:
            sys.stderr.write("FATAL:  this root may not become another account\n")
            sys.exit(CANNOT_BECOME)
    if sys.platform == "linux":
        # After setuid, which clears it; exec of an ordinary program keeps it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, farewell, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(CANNOT_BECOME)  # the parent died before the line above could count
    try:
        os.execv(program[0], program)  # noqa: S606 - this is the whole purpose
    except OSError:
        sys.stderr.write("FATAL:  this account cannot execute the program\n")
        sys.exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main()
