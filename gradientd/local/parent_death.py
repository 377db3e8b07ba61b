"""Ends a process with its parent: run as a script, it asks the kernel for a signal on the parent's death, then becomes
the command it was given.

    python -I -S parent_death.py PARENT_PID SIGNAL COMMAND [ARGUMENT ...]

The kernel sends the signal when the *thread* that started this process ends, so start it from the main thread.
Imports nothing of gradientd: it is on the way of every process that `gradientd up` starts. Only Linux has this call;
elsewhere the command may outlive its parent.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def ask_for_signal_on_parent_death(signum: int) -> None:
    """Have the kernel send this process `signum` when its parent dies. Survives `exec`, not `fork`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signum), 0, 0, 0) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"prctl(PR_SET_PDEATHSIG): {os.strerror(errno)}")


def main(arguments: list[str]) -> None:
    """Ask for the signal, then replace this process with the command."""
    parent, signum, *command = arguments
    if sys.platform == "linux":
        ask_for_signal_on_parent_death(int(signum))
    # The parent may have died before the call above; then no signal will ever come.
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose; there is no shell
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
