"""The spool keeps what it acknowledged, whole, in bounds, and gives up what nobody owns."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from continual.serving.spool import Spool, SpoolFull, read

ENTRY = {"stream": "labels", "row": {"record_key": "a\nb", "value": 1.0}}


def entries(spool: Spool) -> list[dict]:
    return [entry for segment in spool.ready() for entry in read(segment)]


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    wanted = [{"n": n, "text": "é\n\\"} for n in range(100)]
    for entry in wanted:
        spool.append([entry])
    assert entries(spool) == []
    spool.rotate(now=True)
    assert entries(spool) == wanted
    for segment in spool.ready():
        spool.done(segment)
    assert (spool.size, list(tmp_path.iterdir())) == (0, [])


def test_segments_close_by_size_and_by_age(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    for _ in range(20):
        spool.append([ENTRY])
    assert len(spool.ready()) >= 5
    aged = Spool(tmp_path / "aged", segment_seconds=0)
    aged.append([ENTRY])
    aged.rotate()
    assert len(aged.ready()) == 1


@settings(max_examples=50, deadline=None)
@given(cut=st.integers(0, 400))
def test_a_torn_tail_is_dropped_and_everything_before_it_kept(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder)
    for n in range(8):
        spool.append([{"n": n}])
    spool.rotate(now=True)
    (segment,) = spool.ready()
    whole = segment.read_bytes()
    segment.write_bytes(whole[: min(cut, len(whole))])
    lines = whole[: min(cut, len(whole))].count(b"\n")
    assert read(segment) == [{"n": n} for n in range(lines)]


def test_damage_in_the_middle_ends_the_reading_there(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([{"n": 1}, {"n": 2}, {"n": 3}])
    spool.rotate(now=True)
    (segment,) = spool.ready()
    segment.write_bytes(segment.read_bytes().replace(b'"n":2', b'"n":7'))
    assert read(segment) == [{"n": 1}]


def test_it_is_bounded_and_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=300)
    while spool.size < 200:
        spool.append([ENTRY])
    with pytest.raises(SpoolFull, match="bytes wait, 300 are allowed"):
        spool.append([ENTRY] * 5)
    assert spool.size <= 300
    again = Spool(tmp_path, max_bytes=300)
    assert again.size == spool.size  # what an earlier process left counts


def test_a_full_disk_keeps_no_half_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append([{"n": 1}])
    write, calls = os.write, []

    def full(file: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return write(file, bytes(data[:5]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SpoolFull, match="No space left"):
        spool.append([{"n": 2}])
    monkeypatch.undo()
    spool.append([{"n": 3}])
    spool.rotate(now=True)
    assert entries(spool) == [{"n": 1}, {"n": 3}]


def test_a_segment_of_a_killed_process_is_taken_over_and_one_of_a_living_is_not(tmp_path: Path) -> None:
    code = (
        "import sys, os\nfrom pathlib import Path\nfrom continual.serving.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]))\nspool.append([{'n': 1}])\nprint('kept', flush=True)\nsys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "kept\n"
    spool = Spool(tmp_path)
    spool.rotate(now=True)
    assert spool.ready() == []
    other.kill()
    other.wait()
    spool.rotate()
    assert entries(spool) == [{"n": 1}]


def test_nan_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        spool.append([{"n": 1}, {"n": float("nan")}])
    assert spool.size == 0
