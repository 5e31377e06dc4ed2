"""The sbatch template on a real SLURM: warned by USR1, a job resumes to an untouched one's end."""

from __future__ import annotations

from collections.abc import Callable

import page_corpora
import pytest
from guide_commands import LARGE, LIBRISPEECH
from slurm_jobs import MEASURED, TEMPLATE, Job, catches_warnings, outcome, submit
from workspaces import assert_measured, run_directories

from mynah.checkpoints.commit import find_damage

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
# When a warning comes, and what is printed of that before the job is requeued or after.
MOMENTS: dict[str, tuple[Callable[[Job], bool], str]] = {
    "import": (catches_warnings, "Interrupted by SIGUSR1"),
    "preparation": (
        lambda job: any(job.folder.glob("cache/*train*.partial/.*.writing")),
        "Stopped before the first checkpoint",
    ),
    "training": (lambda job: f"step {MEASURED + 5}/" in job.log, "Resuming at step 2"),
    "evaluation": (lambda job: f"step {MEASURED}/" in job.log, f"Resuming at step {MEASURED} of"),
}


@pytest.mark.parametrize(("moment", "tasks"), [*((one, 1) for one in MOMENTS), ("training", 2)])
def test_a_warned_job_is_requeued_and_ends_with_the_weights_of_an_untouched_one(
    slurm, untouched, tmp_path, moment, tasks
):
    cache, expected = untouched(tasks)
    reached, said = MOMENTS[moment]
    job = submit(slurm, tmp_path, tmp_path / "cache" if moment == "preparation" else cache, tasks)
    job.wait_for(lambda: reached(job))
    slurm.warn(job.number)
    ended = job.wait_for_its_end()
    assert (ended["JobState"], ended["Restarts"], ended["ExitCode"]) == ("COMPLETED", "1", "0:0"), (
        job.log
    )
    assert said in job.log and "Traceback" not in job.log
    assert outcome(job) == expected


def test_the_template_of_one_node_runs_as_it_is_printed(slurm, tmp_path):
    home = tmp_path / "hub"
    page_corpora.install_models(home / "hub")
    offline = {"HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "1"}
    cache = {"MYNAH_CACHE": str(tmp_path / "cache")}
    job = Job(slurm, tmp_path / "job", TEMPLATE, LARGE, tasks=2, **offline, **cache)
    ended = job.wait_for_its_end()
    assert (ended["JobState"], ended["Restarts"]) == ("COMPLETED", "0"), job.log
    (directory,) = run_directories(job.folder)
    assert_measured(directory, LIBRISPEECH)
    assert find_damage(directory / "model" / "checkpoint-2") is None
