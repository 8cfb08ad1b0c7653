"""
What a child may use of the machine, so that a hostile picture costs no more than the child.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress

#: Addresses, in bytes: pixels of the largest picture twice, the file, and the libraries.
_ADDRESSES = 3 << 29
#: Bytes that a file may have which it writes.
_FILE = 32 << 20
_DESCRIPTORS = 64
_NICE = 10

# Libraries that start a thread for each processor when they are imported; each thread takes address space.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limit() -> None:
    """
    Take from this process what it shall not have; it never gets it back.
    """
    with suppress(OSError):  # some containers forbid it; it is for others' sake only
        os.nice(_NICE)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    for kind, most in (
        (resource.RLIMIT_AS, _ADDRESSES),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        _lower(kind, most)


def next_job(seconds: int) -> None:
    """
    Give the process its time for one more job.

    :param seconds: of processor; the kernel ends the child when they are used up (SIGXCPU).
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(
        resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard)
    )


def _lower(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))
