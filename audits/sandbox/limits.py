"""What a child may use at most, and the kernel's own limits that hold it to that."""

import resource
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """The budget of one sandboxed child. Bytes and seconds; every field is a ceiling.

    ``address_space_bytes`` counts mappings, not memory in use: the imports alone map 0.7 GiB on one thread.
    ``file_bytes`` bounds one file (kernel), ``directory_bytes`` all that lies in the job's directory (watched by the
    parent). ``start_seconds`` covers the imports, ``wall_seconds`` each request, ``cpu_seconds`` the child's life.
    """

    address_space_bytes: int = 4096 * MIB
    cpu_seconds: int = 180
    file_bytes: int = 64 * MIB
    open_files: int = 128
    directory_bytes: int = 128 * MIB
    start_seconds: float = 120
    wall_seconds: float = 90
    model_bytes: int = 256 * MIB
    request_bytes: int = 256 * MIB
    answer_bytes: int = 64 * MIB
    rows: int = 50_000


def apply_limits(limits: Limits) -> None:
    """Bind the calling process, for good, to the limits that the kernel enforces.

    The soft CPU limit lies a second below the hard one, so that the death reads as SIGXCPU and not as a SIGKILL that
    anything could have sent. A core file would copy the memory to the disk.
    """
    ceilings = (
        (resource.RLIMIT_AS, limits.address_space_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    )
    for kind, ceiling in ceilings:
        resource.setrlimit(kind, (_within_hard(kind, ceiling),) * 2)
    hard = _within_hard(resource.RLIMIT_CPU, limits.cpu_seconds + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (min(limits.cpu_seconds, hard), hard))


def _within_hard(kind: int, ceiling: int) -> int:
    """The ceiling, or the hard limit that the process already has where that is lower."""
    hard = resource.getrlimit(kind)[1]
    return ceiling if hard == resource.RLIM_INFINITY else min(ceiling, hard)
