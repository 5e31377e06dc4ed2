"""Whether other work on the machine lets threads sleep while they wait, by /proc/stat."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mynah import neighbours
from mynah.neighbours import Reading

TICKS = os.sysconf("SC_CLK_TCK")


def statistics(tmp_path, seconds, cores=2):
    """A /proc/stat of these CPU seconds: user, nice, system, idle, iowait, irq, softirq, steal."""
    ticks = " ".join(str(round(second * TICKS)) for second in seconds)
    file = tmp_path / "stat"
    file.write_text(
        f"cpu  {ticks} 0 0\n" + "".join(f"cpu{core} 1 2 3\n" for core in range(cores)) + "intr 5\n"
    )
    return file


def test_what_is_busy_is_what_is_neither_idle_nor_waiting_for_the_disk(tmp_path):
    reading = Reading.now(statistics(tmp_path, (10, 2, 3, 500, 70, 1, 1, 4), cores=2))
    assert reading is not None
    assert reading.busy_seconds == 10 + 2 + 3 + 1 + 1 + 4
    assert reading.cores == 2


@pytest.mark.parametrize("content", ["", "cpu a b c d e f g h\n", "cpu 1 2\n", "\n"])
def test_a_machine_that_does_not_tell_has_no_reading(tmp_path, content):
    (tmp_path / "stat").write_text(content)
    assert Reading.now(tmp_path / "stat") is None
    assert Reading.now(tmp_path / "nowhere") is None


def test_the_work_of_others_is_what_is_left_without_ones_own():
    first = Reading(at=100.0, busy_seconds=50.0, own_seconds=1.0, cores=2)
    # 2 s later 3 s of CPU were used, 1.5 s of them here: others had 1.5 s in 2 s.
    last = Reading(at=102.0, busy_seconds=53.0, own_seconds=2.5, cores=2)
    assert neighbours.others_busy(first, last) == pytest.approx(0.75)
    too_soon = Reading(at=100.05, busy_seconds=53.0, own_seconds=1.0, cores=2)
    assert neighbours.others_busy(first, too_soon) == 0.0
    own_alone = Reading(at=102.0, busy_seconds=51.0, own_seconds=2.5, cores=2)
    assert neighbours.others_busy(first, own_alone) == 0.0


@pytest.mark.parametrize(
    ("busy", "cores", "threads", "expected"),
    [
        (1.0, 2, 2, True),
        (0.4, 2, 2, False),  # less than half a core
        (1.0, 2, 1, False),  # a single thread waits for nobody
        (4.0, 64, 8, False),  # there are cores for both
        (60.0, 64, 8, True),
    ],
)
def test_threads_are_in_the_way_where_cores_are_too_few(busy, cores, threads, expected):
    assert neighbours.in_the_way(busy, cores=cores, threads=threads) is expected


CHOICE = textwrap.dedent("""
    import os, sys
    from mynah import neighbours
    first = neighbours.Reading(0.0, 0.0, 0.0, 2)
    readings = iter([first, neighbours.Reading(1.0, float(sys.argv[1]), 0.0, 2)])
    neighbours.Reading.now = classmethod(lambda cls: next(readings))
    if sys.argv[2] == "watched":
        neighbours.watch()
    neighbours.sleep_where_busy()
    said = "sleep" in neighbours.how_threads_wait()
    print(os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT"), said)
""")


@pytest.mark.parametrize(
    ("busy", "watched", "environment", "printed"),
    [
        ("1.0", "watched", {}, "passive None True"),
        ("0.0", "watched", {}, "None 1000 False"),
        ("1.0", "not", {}, "None None False"),
        ("1.0", "watched", {"OMP_NUM_THREADS": "1"}, "None 1000 False"),
        ("1.0", "watched", {"OMP_WAIT_POLICY": "active"}, "active None False"),
        ("1.0", "watched", {"GOMP_SPINCOUNT": "9"}, "None 9 False"),
    ],
)
def test_the_environment_of_openmp_is_set_unless_somebody_set_it(
    busy, watched, environment, printed
):
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", CHOICE, busy, watched],
        env=kept | {"OMP_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == printed


BEGUN = textwrap.dedent("""
    import runpy, sys
    del sys.argv[0]
    try:
        if sys.argv[0] == "mynah":
            from mynah.cli.main import main
            main()
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit:
        pass
    from mynah import neighbours
    print("watched:", neighbours._first is not None)
""")


@pytest.mark.parametrize(
    "command",
    [
        ["src/train_hydra.py", "--cfg", "job"],
        ["src/train.py", "configs/experiments/test_config.json", "--cfg", "job"],
        ["mynah", "train", "--cfg", "job"],
    ],
)
def test_each_way_to_begin_a_training_looks_at_the_machine(command):
    words = [sys.executable, "-c", BEGUN, *command]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("watched: True")
