"""Trainings of a search: halving against rungs on paper, seeds, failures, several objectives."""

from __future__ import annotations

import pytest
from stub_searches import StubSearch, search_of

from mynah.errors import UserError
from mynah.sweeps.search.run import Trainings
from mynah.sweeps.search.source import SearchJobs, settled
from mynah.sweeps.search.study import SearchStudy
from mynah.sweeps.table import jobs_best_first

# By lora_r, in the order of the grid: error rates at steps 1, 2, 4 and 8.
CURVES = {
    "1": (0.50, 0.30, 0.25, 0.20),
    "2": (0.60, 0.10, 0.10, 0.10),
    "3": (0.40, 0.45, 0.10, 0.10),
    "4": (0.45, 0.20, 0.15, 0.12),
    "5": (0.44, 0.19, 0.16, 0.05),
}
# On paper, with one in 2 (Li et al. 2020, as Optuna has it: of n figures at a rung, that of the
# training itself among them, the best n // 2 go on, and one at least):
#   step 1: .50 alone; .60 of {.50 .60} is second of 1; .40 of 3 is first of 1; .45 of
#           {.40 .45 .50 .60} is second of 2; .44 of {.40 .44 .45 .50 .60} is second of 2
#   step 2: .30 alone; .45 of {.30 .45} is second of 1; .20 of {.20 .30 .45} is first of 1;
#           .19 of {.19 .20 .30 .45} is first of 2
#   step 4: .25 alone; .15 of {.15 .25} is first of 1; .16 of {.15 .16 .25} is second of 1
RUNGS = {"1": None, "2": 1, "3": 2, "4": None, "5": 4}


def halving(swept):
    return dict(zip((1, 2, 4, 8), CURVES[swept["model.lora_r"]], strict=True))


def of_halving(**how):
    return search_of("model.lora_r=1,2,3,4,5", pruner="halving", reduction_factor=2, **how)


def test_halving_stops_what_is_behind_on_paper(tmp_path):
    run = StubSearch(of_halving(), tmp_path, halving)
    source = run.run()
    trials = run.trials()
    assert {one.point["model.lora_r"]: one.pruned_at for one in trials} == RUNGS
    assert [one.state for one in trials] == ["done", "pruned", "pruned", "done", "pruned"]
    outcomes = {job.swept["model.lora_r"]: source.outcomes[job.number] for job in source.jobs}
    assert outcomes["3"].score.value == 0.45 and outcomes["3"].pruned_at == 2
    assert outcomes["5"].score.shown == "16.00 %"


def test_halving_waits_for_the_steps_that_are_asked_for(tmp_path):
    run = StubSearch(of_halving(min_steps=4), tmp_path, halving)
    run.run()
    # At step 4 alone: .25; .10 of 2; .10 of 3, as good as the first of 1; .15 of 4 is third of 2.
    assert [one.pruned_at for one in run.trials()] == [None, None, None, 4, 4]


def test_what_was_pruned_stands_last_in_the_table_with_its_figure_now_and_later(tmp_path):
    search = of_halving()
    run = StubSearch(search, tmp_path, halving)
    source = run.run()
    now = jobs_best_first(source.jobs, source.outcomes)
    trainings = Trainings(search, tmp_path, lambda overrides: pytest.fail("composed"), 42)
    later = jobs_best_first(*settled(run.trials(), search, trainings.again))
    for rows in (now, later):
        assert [row.job.swept["model.lora_r"] for row in rows] == ["4", "1", "5", "3", "2"]
        assert rows[2].outcome.status == "pruned" and rows[2].outcome.score.value == 0.16
    assert [row.job.directory for row in now] == [row.job.directory for row in later]


@pytest.mark.parametrize("after", [2, 3, 4, 5])
def test_halving_decides_after_a_kill_as_without_one(tmp_path, after):
    killed = StubSearch(of_halving(), tmp_path, halving)
    killed.run(after, killed=True)
    resumed = StubSearch(of_halving(), tmp_path, halving)
    resumed.run()
    assert {one.point["model.lora_r"]: one.pruned_at for one in resumed.trials()} == RUNGS


def test_a_training_that_was_to_be_stopped_at_the_kill_is_not_started_again(tmp_path):
    search = of_halving()
    run = StubSearch(search, tmp_path, halving)
    source = run.run(1)
    job, _ = source.next_job()
    (job.directory / "model").mkdir(parents=True)
    (job.directory / "evaluations.jsonl").write_text(
        '{"step": 1, "steps": 8, "metric": "wer", "value": 0.6}\n'
    )
    assert source.is_to_stop(job)  # and the search is killed before the training has ended
    resumed = StubSearch(search, tmp_path, halving)
    resumed.run()
    assert "lora_r=2" not in resumed.started
    assert {one.point["model.lora_r"]: one.pruned_at for one in resumed.trials()} == RUNGS


def test_the_figure_of_a_point_is_the_mean_over_its_seeds(tmp_path):
    rates = {("1", "42"): 0.3, ("1", "43"): 0.5, ("2", "42"): 0.2, ("2", "43"): 0.7}

    def curve(swept):
        return {4: rates[swept["model.lora_r"], swept["training.seed"]]}

    run = StubSearch(search_of("model.lora_r=1,2", seeds=2), tmp_path, curve)
    source = run.run()
    assert [one.values for one in run.trials()] == [(0.4,), (pytest.approx(0.45),)]
    assert len({job.number for job in source.jobs}) == 4


def test_only_the_first_seed_of_a_point_that_is_behind_is_trained(tmp_path):
    run = StubSearch(of_halving(seeds=3), tmp_path, halving)
    run.run()
    trained = [one["model.lora_r"] for one in run.points]
    assert trained == ["1", "1", "1", "2", "3", "4", "4", "4", "5"]


def test_what_failed_is_tried_again_by_the_next_command_as_the_same_trial(tmp_path):
    search = search_of("model.lora_r=1,2,3")
    run = StubSearch(search, tmp_path, halving, fails={"lora_r=2"})
    source = run.run()
    assert [source.outcomes[job.number].status for job in source.jobs] == ["done", "failed", "done"]
    again = StubSearch(search, tmp_path, halving)
    again.run()
    assert again.started == ["lora_r=2"]
    assert [one.state for one in again.trials()] == ["done"] * 3


def test_a_training_that_ended_while_nobody_watched_is_not_run_again(tmp_path):
    search = search_of("model.lora_r=1,2,3")
    run = StubSearch(search, tmp_path, halving)
    source = run.run(2, killed=True)
    run.trained(source.jobs[-1], source)  # its process outlived the search
    resumed = StubSearch(search, tmp_path, halving)
    found = resumed.run()
    assert resumed.started == ["lora_r=3"]
    assert found.outcomes[1].status == "done before" and found.outcomes[1].score.value == 0.1


def test_a_point_whose_settings_contradict_each_other_is_left_out_and_named(tmp_path, capsys):
    search = search_of("model.lora_r=1,2,3")

    def compose(overrides):
        if "model.lora_r=2" in overrides:
            raise UserError("lora_r does not fit.")
        from stub_searches import composed

        return composed(overrides)

    study = SearchStudy.open(tmp_path, search)
    source = SearchJobs(search, study, Trainings(search, tmp_path, compose, 42))
    started = []
    run = StubSearch(search, tmp_path, halving)
    while found := source.next_job():
        started.append(found[0].label)
        source.ended(found[0], run.trained(found[0], source))
    assert started == ["lora_r=1", "lora_r=3"]
    assert "model.lora_r=2 is left out: lora_r does not fit." in capsys.readouterr().out
    assert study.trials()[1].refused == "lora_r does not fit."


def test_several_objectives_have_a_front_that_nothing_surpasses(tmp_path):
    # Error rate, speed: 1 is better in the first, 2 in the second, 3 in none, 4 as good as 1 but
    # slower.
    rates = {"1": (0.1, 10.0), "2": (0.2, 30.0), "3": (0.3, 20.0), "4": (0.1, 5.0)}
    search = search_of("model.lora_r=1,2,3,4", objectives=["wer", "speed"])
    run = StubSearch(
        search,
        tmp_path,
        lambda swept: {4: rates[swept["model.lora_r"]][0]},
        more=lambda swept: {"audio_seconds_per_second": rates[swept["model.lora_r"]][1]},
    )
    source = run.run()
    study = SearchStudy.open(tmp_path, search)
    assert {study.trials()[number].point["model.lora_r"] for number in study.front()} == {"1", "2"}
    others = source.outcomes[0].others
    assert [(one.metric.name, one.value) for one in others] == [("speed", 10.0)]


def test_the_size_is_that_of_the_saved_weights_in_megabytes(tmp_path):
    search = search_of("model.lora_r=1,2", objectives=["size"])
    run = StubSearch(search, tmp_path, halving)
    trained = run.trained

    def saved(job, source):
        outcome = trained(job, source)
        size = 1000 * int(job.swept["model.lora_r"])
        (job.directory / "model" / "adapter_model.safetensors").write_bytes(bytes(size))
        return outcome

    run.trained = saved
    run.run()
    assert [one.values for one in run.trials()] == [(0.001,), (0.002,)]
    assert search.objectives[0].greater_is_better is False


def test_a_point_without_its_figure_is_noted_as_such_and_not_run_again(tmp_path):
    search = search_of("model.lora_r=1,2", objectives=["wer", "speed"])
    run = StubSearch(search, tmp_path, halving)
    run.run()
    assert [one.state for one in run.trials()] == ["failed", "failed"]
    again = StubSearch(search, tmp_path, halving)
    again.run()
    assert again.started == []


def test_what_is_behind_at_its_last_step_was_trained_to_the_end(tmp_path):
    curves = {"1": {1: 0.5, 2: 0.4}, "2": {1: 0.3, 2: 0.6}}
    search = search_of("model.lora_r=1,2", pruner="halving", reduction_factor=2)
    run = StubSearch(search, tmp_path, lambda swept: curves[swept["model.lora_r"]])
    run.run()
    assert [(one.state, one.values) for one in run.trials()] == [("done", (0.4,)), ("done", (0.6,))]
