"""Points are proposed from the results so far, the same ones after a kill, and none twice."""

from __future__ import annotations

import json
import math

import pytest
from stub_searches import StubSearch, search_of

from mynah.errors import UserError
from mynah.sweeps.search.study import SearchStudy

RATE = "training.learning_rate=tag(log,interval(1e-5,1e-1))"
DROPOUT = "model.lora_dropout=interval(0,0.5)"


def bowl(swept):
    """The best point is a learning rate of 1e-3 with a dropout of 0.1."""
    rate, dropout = (float(swept[one.partition("=")[0]]) for one in (RATE, DROPOUT))
    return {4: 0.1 + (math.log10(rate) + 3) ** 2 / 10 + (dropout - 0.1) ** 2}


@pytest.mark.long
def test_points_after_the_random_ones_gather_where_results_are_best(tmp_path):
    run = StubSearch(search_of(RATE, DROPOUT, trials=30), tmp_path, bowl)
    run.run()
    off = [abs(math.log10(float(one["training.learning_rate"])) + 3) for one in run.points]
    assert len(run.points) == 30
    assert sorted(off[20:])[5] < sorted(off[:10])[5]  # decades from the best, in the middle
    assert min(one.values[0] for one in run.trials()) < 0.12


@pytest.mark.parametrize(
    ("after", "storage"),
    [
        (13, "journal"),
        *(
            pytest.param(after, storage, marks=pytest.mark.long)
            for after, storage in ((1, "journal"), (4, "journal"), (4, "sqlite"), (13, "sqlite"))
        ),
    ],
)
def test_a_search_that_is_killed_tries_the_points_of_an_untouched_one(tmp_path, after, storage):
    search = search_of(RATE, DROPOUT, trials=15, storage=storage)
    untouched = StubSearch(search, tmp_path / "untouched", bowl)
    untouched.run()
    killed = StubSearch(search, tmp_path / "killed", bowl)
    killed.run(after, killed=True)
    resumed = StubSearch(search, tmp_path / "killed", bowl)
    resumed.run()
    assert resumed.points[0] == killed.points[-1]  # in flight, and put back
    assert [*killed.points[:-1], *resumed.points] == untouched.points
    assert [one.values for one in resumed.trials()] == [one.values for one in untouched.trials()]


def test_a_line_that_a_kill_cut_off_and_a_lock_that_it_left_cost_nothing(tmp_path):
    search = search_of(RATE, DROPOUT, trials=4)
    StubSearch(search, tmp_path, bowl).run(2)
    with (tmp_path / "search.journal").open("ab") as journal:
        journal.write(b'{"op_code":4,"worker_')
    (tmp_path / "search.journal.lock").touch()
    resumed = StubSearch(search, tmp_path, bowl)
    resumed.run()
    assert len(resumed.points) == 2 and [one.state for one in resumed.trials()] == ["done"] * 4


def test_other_seeds_propose_other_points_and_more_trials_follow_the_same_ones(tmp_path):
    first = StubSearch(search_of(RATE, DROPOUT, trials=3), tmp_path / "a", bowl)
    first.run()
    other = StubSearch(search_of(RATE, DROPOUT, trials=3, seed=1), tmp_path / "b", bowl)
    other.run()
    assert not {json.dumps(one) for one in first.points} & {json.dumps(one) for one in other.points}
    more = StubSearch(search_of(RATE, DROPOUT, trials=5), tmp_path / "a", bowl)
    more.run()
    longer = StubSearch(search_of(RATE, DROPOUT, trials=5), tmp_path / "c", bowl)
    longer.run()
    assert [*first.points, *more.points] == longer.points


def test_a_space_that_can_be_counted_is_never_tried_twice(tmp_path):
    def rate(swept):
        return {4: float(swept["model.lora_r"]) / 100}

    search = search_of("model.lora_r=range(1,13)", trials=11)
    run = StubSearch(search, tmp_path, rate)
    run.run()
    tried = [one["model.lora_r"] for one in run.points]
    assert len(tried) == len(set(tried)) == 11


def test_without_an_interval_and_without_trials_every_point_of_the_grid_is_tried(tmp_path):
    search = search_of("model.lora_r=8,16", "training.learning_rate=1,2,3", pruner="halving")
    run = StubSearch(search, tmp_path, lambda swept: {4: 0.5})
    run.run()
    assert search.trials == 6
    assert {(p["model.lora_r"], p["training.learning_rate"]) for p in run.points} == {
        (r, rate) for r in ("8", "16") for rate in ("1", "2", "3")
    }


def test_the_folder_of_another_search_is_refused_with_what_is_other(tmp_path):
    StubSearch(search_of(RATE, DROPOUT, trials=2), tmp_path, bowl).run()
    for search, what in (
        (search_of(RATE, "model.lora_dropout=interval(0,0.4)"), "other values of model.lora_drop"),
        (search_of(RATE, DROPOUT, seed=3), "sweep.seed=0"),
        (search_of(RATE, DROPOUT, "training.max_steps=5"), "without training.max_steps=5"),
        (search_of(RATE, DROPOUT, pruner="halving"), "sweep.pruner=none"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            SearchStudy.open(tmp_path, search)
        assert "hydra.sweep.dir" in caught.value.fix


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_a_file_that_is_not_one_of_trials_is_refused(tmp_path, storage):
    search = search_of(RATE, storage=storage)
    (tmp_path / {"journal": "search.journal", "sqlite": "search.sqlite3"}[storage]).write_text(
        "these are not trials\nnor this\n"
    )
    with pytest.raises(UserError, match="cannot be read"):
        SearchStudy.open(tmp_path, search)


def test_trials_lie_in_a_folder_whose_name_ends_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a?b#c%20"
    folder.mkdir()
    SearchStudy.open(folder, search_of(RATE, storage="sqlite"))
    assert (folder / "search.sqlite3").stat().st_size and list(tmp_path.iterdir()) == [folder]


def test_a_full_disk_ends_a_search_as_a_mistake_that_can_be_fixed(tmp_path, monkeypatch):
    run = StubSearch(search_of(RATE, DROPOUT, trials=3), tmp_path, bowl)
    trained = run.trained

    def full(self, logs):
        raise OSError(28, "No space left on device")

    def fill(job, source):
        monkeypatch.setattr("optuna.storages.journal.JournalFileBackend.append_logs", full)
        return trained(job, source)

    run.trained = fill
    with pytest.raises(UserError, match=r"cannot be written: .*No space left"):
        run.run()
    monkeypatch.undo()
    again = StubSearch(search_of(RATE, DROPOUT, trials=3), tmp_path, bowl)
    again.run()
    assert [one.state for one in again.trials()] == ["done"] * 3


@pytest.mark.long
def test_a_setting_that_decides_alone_has_nearly_all_of_the_importance(tmp_path):
    def only_rate(swept):
        return {4: 0.1 + abs(math.log10(float(swept["training.learning_rate"])) + 3)}

    search = search_of(RATE, DROPOUT, trials=30, sampler="random")
    StubSearch(search, tmp_path, only_rate).run()
    found = SearchStudy.open(tmp_path, search).importances(0)
    assert next(iter(found)) == "training.learning_rate" and found["training.learning_rate"] > 0.75
    assert sum(found.values()) == pytest.approx(1.0)


def test_several_trainings_at_once_are_of_different_points(tmp_path):
    search = search_of(RATE, DROPOUT, trials=14)
    StubSearch(search, tmp_path, bowl).run(12)
    study = SearchStudy.open(tmp_path, search, at_once=3)
    points = []
    for _ in range(2):
        points.append(study.propose())
        study.begin(points[-1], ["x"])
    assert points[0] != points[1]
