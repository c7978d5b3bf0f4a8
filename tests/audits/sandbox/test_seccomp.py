"""The filter's answers for each architecture, by an interpreter of classic BPF that is written here."""

import errno
import re
import struct
from pathlib import Path

import pytest

from audits.sandbox.seccomp import ARCHITECTURES, FIRST_UNKNOWN, Architecture, program

ALLOW, KILL = 0x7FFF0000, 0x80000000
DENY, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
PROCESS = 4242
CLONE_THREAD, CLONE_VM = 0x00010000, 0x00000100
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def run(content: bytes, number: int, audit: int, *arguments: int) -> int:
    """The filter's answer to one call. Source: Linux ``struct seccomp_data`` and ``net/core/filter.c``."""
    call = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *(*arguments, *[0] * 6)[:6])
    instructions = list(struct.iter_unpack("<HBBI", content))
    accumulator = position = 0
    while True:
        code, if_true, if_false, operand = instructions[position]
        position += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", call, operand)
            continue
        holds = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}[code]
        position += if_true if holds else if_false


@pytest.fixture(params=sorted(ARCHITECTURES))
def machine(request: pytest.FixtureRequest) -> str:
    """Each supported machine type."""
    return str(request.param)


def answer(machine: str, number: int, *arguments: int) -> int:
    table: Architecture = ARCHITECTURES[machine]
    return run(program(machine, PROCESS), number, table.audit, *arguments)


def test_every_listed_call_is_denied(machine: str) -> None:
    denied = ARCHITECTURES[machine].denied
    assert {name: answer(machine, number) for name, number in denied.items()} == dict.fromkeys(denied, DENY)


def test_what_numeric_libraries_need_is_allowed(machine: str) -> None:
    needed = {
        "x86_64": [0, 1, 2, 9, 10, 11, 12, 14, 202, 257, 39, 186, 228, 262, 318],
        "aarch64": [63, 64, 56, 222, 226, 215, 214, 135, 98, 172, 178, 113, 79, 278],
    }
    assert {answer(machine, number) for number in needed[machine]} == {ALLOW}


def test_a_clone_is_allowed_for_threads_alone(machine: str) -> None:
    clone = ARCHITECTURES[machine].special["clone"]
    assert answer(machine, clone, CLONE_THREAD | CLONE_VM) == ALLOW
    assert answer(machine, clone, CLONE_VM) == DENY
    assert answer(machine, clone, CLONE_THREAD << 32) == DENY
    assert answer(machine, ARCHITECTURES[machine].special["clone3"]) == ABSENT


def test_signals_and_limits_reach_the_process_itself_alone(machine: str) -> None:
    special = ARCHITECTURES[machine].special
    assert answer(machine, special["tgkill"], PROCESS, PROCESS, 6) == ALLOW
    assert answer(machine, special["tgkill"], PROCESS + 1, PROCESS, 9) == DENY
    assert answer(machine, special["prlimit64"], 0) == ALLOW
    assert answer(machine, special["prlimit64"], PROCESS + 1) == DENY


@pytest.mark.parametrize(
    ("name", "position", "value", "harmless"),
    [
        ("ioctl", 1, 0x5412, 0x5413),
        ("ioctl", 1, 0x541C, 0x5401),
        ("fcntl", 1, 8, 3),
        ("fcntl", 1, 10, 4),
        ("fcntl", 1, 15, 1030),
        ("prctl", 0, 1, 3),
        ("prctl", 0, 4, 15),
    ],
)
def test_commands_that_reach_beyond_the_process_are_denied(
    machine: str, name: str, position: int, value: int, harmless: int
) -> None:
    number = ARCHITECTURES[machine].special[name]
    assert answer(machine, number, *[0] * position, value) == DENY
    assert answer(machine, number, *[0] * position, harmless) == ALLOW


def test_another_architecture_and_the_x32_table_are_killed() -> None:
    x86, arm = ARCHITECTURES["x86_64"].audit, ARCHITECTURES["aarch64"].audit
    assert run(program("x86_64", PROCESS), 1, arm) == KILL
    assert run(program("aarch64", PROCESS), 64, x86) == KILL
    assert run(program("x86_64", PROCESS), 1, 0x40000003) == KILL
    assert answer("x86_64", 0x40000000 | 1) == KILL


def test_calls_that_the_list_does_not_know_are_absent(machine: str) -> None:
    assert answer(machine, FIRST_UNKNOWN) == ABSENT
    assert answer(machine, FIRST_UNKNOWN + 1000) == ABSENT
    assert answer(machine, FIRST_UNKNOWN - 1) == ALLOW


def test_a_machine_without_a_table_has_no_filter() -> None:
    with pytest.raises(OSError, match="no system call table for riscv64"):
        program("riscv64", PROCESS)


def test_the_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name: int(number) for name, number in lines}
    table = ARCHITECTURES[machine]
    ours = {**table.denied, **table.special}
    # Calls that an older header lacks are left to the machines that have them.
    assert {name: number for name, number in ours.items() if numbers.get(name, number) != number} == {}
    assert len(set(ours) & set(numbers)) > 70
