"""What the parent does with children that die, lie about lengths or fall silent."""

import os
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from audits.sandbox.process import BOOTSTRAP, Child, printable
from audits.sandbox.wire import HEADER_BYTES, encode
from governance.errors import MeasurementRefused
from tests.audits.sandbox.programs import SMALL, program


def stopped(body: str, seconds: float = 10) -> str:
    """What the parent says of a child with this program."""
    with closing(Child(SMALL, bootstrap=program(body))) as child, pytest.raises(MeasurementRefused) as fault:
        child.receive(seconds)
    return fault.value.found


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("os.kill(os.getpid(), 11)", "signal SIGSEGV"),
        ("os.abort()", "signal SIGABRT"),
        ("os.kill(os.getpid(), 9)", "signal SIGKILL"),
        ("raise SystemExit(3)", "process ended with status 3"),
        ("raise OSError('why')", "process ended with status 1 before it answered: OSError: why"),
        ("pass", "process ended with status 0"),
        ("os.write(answers, encode({'a': 1}, b'12345678')[:-3])", "process ended with status 0"),
        ("os.write(answers, encode({'a': 1})[:-3]); os.close(answers); time.sleep(60)", "truncated answer"),
        ("os.close(answers); time.sleep(60)", "no answer"),
        ("time.sleep(60)", "wall clock: no answer within 1 s"),
        ("os.write(answers, b'x'); time.sleep(60)", "wall clock: no answer within 1 s"),
        ("os.write(answers, b'\\xff' * 12); time.sleep(60)", "size of the answer"),
        ("os.write(answers, encode({}) + b'more'); time.sleep(60)", "form of the answer: more bytes"),
        ("os.write(answers, b'\\x02\\0\\0\\0' + bytes(8) + b'{x'); time.sleep(60)", "form of the answer"),
        ("os.write(answers, b'\\x02\\0\\0\\0' + bytes(8) + b'[]'); time.sleep(60)", "form of the answer: the header"),
        ("os.write(answers, b'\\x03\\0\\0\\0' + bytes(8) + b'NaN'); time.sleep(60)", "form of the answer"),
    ],
)
def test_the_message_names_what_stopped_the_child(body: str, says: str) -> None:
    seconds = 1 if "wall clock" in says else 10
    assert stopped(body, seconds).startswith(says)


def test_lengths_beyond_the_limits_are_refused_before_the_bytes_are_read() -> None:
    too_long = struct.pack("<IQ", HEADER_BYTES + 1, 0)
    assert "size of the answer" in stopped(f"os.write(answers, {too_long!r}); time.sleep(60)")
    too_much = struct.pack("<IQ", 2, SMALL.answer_bytes + 1)
    assert "size of the answer" in stopped(f"os.write(answers, {too_much!r}); time.sleep(60)")


def test_a_request_larger_than_the_pipe_and_its_answer_arrive_whole() -> None:
    body = """
import io
from audits.sandbox.wire import read_frame
stream = os.fdopen(requests, 'rb')
header, payload = read_frame(stream)
left = memoryview(encode(header, payload))
while left: left = left[os.write(answers, left):]
"""
    payload = os.urandom(3_000_000)
    with closing(Child(SMALL, bootstrap=program(body))) as child:
        assert child.ask({"a": [1]}, payload, 20) == ({"a": [1]}, payload)


def test_a_child_that_does_not_read_meets_the_wall_clock() -> None:
    silent = Child(SMALL, bootstrap=program("time.sleep(60)"))
    with closing(silent), pytest.raises(MeasurementRefused, match="wall clock"):
        silent.ask({}, bytes(3_000_000), 1)


def test_closing_twice_is_harmless_and_leaves_no_process_and_no_directory() -> None:
    child = Child(SMALL, bootstrap=program("open('f', 'w').write('x'); time.sleep(60)"))
    child.close()
    child.close()
    assert child._process.poll() is not None
    assert not child.directory.exists()


@pytest.mark.parametrize("limit", ["address_space_bytes", "open_files"])
def test_a_child_without_room_to_start_is_refused(limit: str) -> None:
    limits = replace(SMALL, **{limit: 1})
    body = "from audits.sandbox.confinement import confine\nconfine(Limits(**limits), parent)\nbytearray(9 << 20)"
    with closing(Child(limits, bootstrap=program(body))) as child, pytest.raises(MeasurementRefused):
        child.receive(10)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a b"), ("\x1b[31mred", "[31mred"), ("x" * 400, "x" * 300), (None, "None"), ("\u202eabc", "abc")],
)
def test_text_of_the_child_is_one_printable_line(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_frames_hold_no_numbers_that_json_does_not_know() -> None:
    make: Callable[[], bytes] = lambda: encode({"a": float("nan")})  # noqa: E731 - raised inside
    with pytest.raises(ValueError, match="JSON"):
        make()


def test_the_bootstrap_imports_nothing_of_the_surroundings() -> None:
    assert "sys.path.insert(0, sys.argv[1])" in BOOTSTRAP
