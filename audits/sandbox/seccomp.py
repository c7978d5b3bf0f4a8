"""A seccomp filter as raw classic BPF, for x86_64 and aarch64, loaded without any library.

A deny list: what starts programs or processes, opens sockets, reaches other processes, changes mounts, identity or
the kernel gives EPERM. A call of another architecture's table kills the process. Calls newer than the list give
ENOSYS, so that a kernel's next addition is not an opening. Threads stay allowed.

Source: Linux ``Documentation/userspace-api/seccomp_filter.rst``; numbers from ``asm/unistd_64.h`` (x86_64) and
``asm-generic/unistd.h`` (aarch64) of Linux 6.1.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL_PROCESS, _ALLOW, _ERROR = 0x80000000, 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000

FIRST_UNKNOWN = 463
"""Numbers from here on were added after Linux 6.10 and are answered with ENOSYS. They are the same everywhere."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 38, 1, 4
_SET_MODE_FILTER, _FLAG_ALL_THREADS = 1, 1

# Numbers above 423 are shared by all architectures.
_DENIED_EVERYWHERE = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "process_mrelease": 448,
}

# fmt: off
_DENIED_X86_64 = {
    "execve": 59, "execveat": 322, "fork": 57, "vfork": 58,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    "kill": 62, "tkill": 200, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "socket": 41, "socketpair": 53, "connect": 42, "bind": 49, "listen": 50, "accept": 43, "accept4": 288,
    "sendto": 44, "sendmsg": 46, "sendmmsg": 307,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
    "mknod": 133, "mknodat": 259, "swapon": 167, "swapoff": 168, "quotactl": 179, "acct": 163,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "memfd_create": 319,
    "keyctl": 250, "add_key": 248, "request_key": 249,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
    "reboot": 169, "syslog": 103, "settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159,
    "sethostname": 170, "setdomainname": 171, "vhangup": 153, "ioperm": 173, "iopl": 172, "modify_ldt": 154,
    "personality": 135, "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300,
    "lookup_dcookie": 212,
    "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114, "setresuid": 117, "setresgid": 119,
    "setfsuid": 122, "setfsgid": 123, "setgroups": 116, "capset": 126, "setsid": 112, "setpgid": 109,
    "setpriority": 141, "ioprio_set": 251, "sched_setscheduler": 144, "sched_setparam": 142, "sched_setattr": 314,
    "sched_setaffinity": 203, "migrate_pages": 256, "move_pages": 279,
    "shmget": 29, "shmat": 30, "shmctl": 31, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71,
    "semget": 64, "semop": 65, "semtimedop": 220, "semctl": 66, "mq_open": 240, "mq_unlink": 241,
}
_DENIED_AARCH64 = {
    "execve": 221, "execveat": 281,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "socket": 198, "socketpair": 199, "connect": 203, "bind": 200, "listen": 201, "accept": 202, "accept4": 242,
    "sendto": 206, "sendmsg": 211, "sendmmsg": 269,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97,
    "mknodat": 33, "swapon": 224, "swapoff": 225, "quotactl": 60, "acct": 89,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "memfd_create": 279,
    "keyctl": 219, "add_key": 217, "request_key": 218,
    "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294,
    "reboot": 142, "syslog": 116, "settimeofday": 170, "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171,
    "sethostname": 161, "setdomainname": 162, "vhangup": 58,
    "personality": 92, "name_to_handle_at": 264, "open_by_handle_at": 265, "fanotify_init": 262,
    "lookup_dcookie": 18,
    "setuid": 146, "setgid": 144, "setreuid": 145, "setregid": 143, "setresuid": 147, "setresgid": 149,
    "setfsuid": 151, "setfsgid": 152, "setgroups": 159, "capset": 91, "setsid": 157, "setpgid": 154,
    "setpriority": 140, "ioprio_set": 30, "sched_setscheduler": 119, "sched_setparam": 118, "sched_setattr": 274,
    "sched_setaffinity": 122, "migrate_pages": 238, "move_pages": 239,
    "shmget": 194, "shmat": 196, "shmctl": 195, "msgget": 186, "msgsnd": 189, "msgrcv": 188, "msgctl": 187,
    "semget": 190, "semop": 193, "semtimedop": 192, "semctl": 191, "mq_open": 180, "mq_unlink": 181,
}
# fmt: on

# Values of an argument that are refused, by call and position. TIOCSTI and TIOCLINUX type into a terminal;
# F_SETOWN, F_SETSIG and F_SETOWN_EX let the kernel send a signal to another process; PR_SET_PDEATHSIG and
# PR_SET_DUMPABLE would undo what the child was started with.
_DENIED_VALUES = {
    "ioctl": (1, (0x5412, 0x541C)),
    "fcntl": (1, (8, 10, 15)),
    "prctl": (0, (_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE)),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """One supported table: its audit number and the numbers of the calls that the filter names."""

    audit: int
    denied: dict[str, int]
    special: dict[str, int]
    has_x32: bool


ARCHITECTURES = {
    "x86_64": Architecture(
        audit=0xC000003E,
        denied=_DENIED_X86_64 | _DENIED_EVERYWHERE,
        special={
            "clone": 56,
            "clone3": 435,
            "fcntl": 72,
            "ioctl": 16,
            "prctl": 157,
            "prlimit64": 302,
            "seccomp": 317,
            "tgkill": 234,
        },
        has_x32=True,
    ),
    "aarch64": Architecture(
        audit=0xC00000B7,
        denied=_DENIED_AARCH64 | _DENIED_EVERYWHERE,
        special={
            "clone": 220,
            "clone3": 435,
            "fcntl": 25,
            "ioctl": 29,
            "prctl": 167,
            "prlimit64": 261,
            "seccomp": 277,
            "tgkill": 131,
        },
        has_x32=False,
    ),
}


def program(machine: str, process: int) -> bytes:
    """The filter for a machine type, as an array of ``struct sock_filter``, for the process with this id.

    The process may signal its own threads (abort and raise do) and read or lower its own limits, nobody else's.

    Raises:
        OSError: there is no tested table for the machine type.
    """
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call table for {machine}")
    table = ARCHITECTURES[machine]
    special = table.special
    parts = [
        _instruction(_LOAD, 0, 0, _ARCHITECTURE_AT),
        _instruction(_JUMP_EQUAL, 1, 0, table.audit),
        _answer(_KILL_PROCESS),
        _instruction(_LOAD, 0, 0, _NUMBER_AT),
    ]
    if table.has_x32:
        parts += [_instruction(_JUMP_AT_LEAST, 0, 1, _X32_BIT), _answer(_KILL_PROCESS)]
    parts += [_instruction(_JUMP_AT_LEAST, 0, 1, FIRST_UNKNOWN), _answer(_ERROR | errno.ENOSYS)]
    for number in sorted(table.denied.values()):
        parts += [_instruction(_JUMP_EQUAL, 0, 1, number), _answer(_ERROR | errno.EPERM)]
    # Without ENOSYS the C library would not fall back to clone, whose flags a filter can see.
    parts += [_instruction(_JUMP_EQUAL, 0, 1, special["clone3"]), _answer(_ERROR | errno.ENOSYS)]
    parts += _when(special["clone"], [_argument(0), _instruction(_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD)])
    parts += _when(special["prlimit64"], [_argument(0), _instruction(_JUMP_EQUAL, 1, 0, 0)])
    parts += _when(special["tgkill"], [_argument(0), _instruction(_JUMP_EQUAL, 1, 0, process)])
    for name, (position, values) in _DENIED_VALUES.items():
        parts += _unless(special[name], position, values)
    parts.append(_answer(_ALLOW))
    return b"".join(parts)


def install() -> None:
    """Filter every thread of the calling process, for good; sets ``no_new_privs`` first, as the kernel demands.

    Libraries start threads while they are imported, so the filter is synchronised to all of them.

    Raises:
        OSError: the kernel or the machine type cannot.
    """
    machine = platform.machine()
    content = program(machine, os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    buffer = ctypes.create_string_buffer(content, len(content))
    header = _Program(len(content) // 8, ctypes.addressof(buffer))
    # A positive answer is the id of a thread that could not be synchronised.
    failed = libc.syscall(
        ARCHITECTURES[machine].special["seccomp"], _SET_MODE_FILTER, _FLAG_ALL_THREADS, ctypes.byref(header)
    )
    if failed:
        raise OSError(ctypes.get_errno() if failed < 0 else errno.ESRCH, "seccomp")


def make_undumpable() -> None:
    """Close ``/proc/PID`` of the calling process (memory, environment) to others of the same user.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "dumpable")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send the signal to the calling process when the thread that started it ends.

    Raises:
        OSError: the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "parent death signal")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _instruction(code: int, if_true: int, if_false: int, operand: int) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, operand)


def _answer(value: int) -> bytes:
    return _instruction(_RETURN, 0, 0, value)


def _argument(position: int) -> bytes:
    """Load the low word of an argument: flags, ids and commands are 32 bits wide where the kernel looks at them."""
    return _instruction(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * position)


def _when(number: int, test: Iterable[bytes]) -> list[bytes]:
    """Allow the call where the test's last jump is taken, else EPERM."""
    body = [*test, _answer(_ERROR | errno.EPERM), _answer(_ALLOW)]
    return [_instruction(_JUMP_EQUAL, 0, len(body), number), *body]


def _unless(number: int, position: int, values: Iterable[int]) -> list[bytes]:
    """Refuse the call with EPERM for these values of an argument, else allow it."""
    body = [_argument(position)]
    for value in values:
        body += [_instruction(_JUMP_EQUAL, 0, 1, value), _answer(_ERROR | errno.EPERM)]
    body.append(_answer(_ALLOW))
    return [_instruction(_JUMP_EQUAL, 0, len(body), number), *body]
