"""What twice the data would give: the fit as NumPy's, an interval that holds, and its page."""

from __future__ import annotations

import math
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from data_helpers import settings

from mynah.cli.main import main
from mynah.cli.sweep_data import swept
from mynah.config.schema import Config
from mynah.data.preparation.training_rows import prepared_rows
from mynah.sweeps.data_curve import points_of
from mynah.sweeps.forecast import SHARE, ShareResult, fit_power_law
from mynah.sweeps.jobs import make_jobs
from mynah.sweeps.sweep import run_sweep

FAKE_JOB = Path(__file__).with_name("fake_job.py")
SHARES = (0.25, 0.5, 1.0)
MEASURED = [
    ShareResult(0.25, 0.31, 0.05),
    ShareResult(0.5, 0.22, 0.04),
    ShareResult(1.0, 0.16, 0.06),
]


def test_the_fit_and_its_covariance_are_numpys():
    found = fit_power_law(MEASURED)
    slope_and_scale, covariance = np.polyfit(
        np.log([0.25, 0.5, 1.0]), np.log([0.31, 0.22, 0.16]), 1,
        w=[1 / 0.05, 1 / 0.04, 1 / 0.06], cov="unscaled",
    )  # fmt: skip
    assert found.exponent == pytest.approx(-slope_and_scale[0])
    assert found.log_scale == pytest.approx(slope_and_scale[1])
    assert found.covariance[0, 0] == pytest.approx(covariance[1, 1])
    assert found.covariance[1, 1] == pytest.approx(covariance[0, 0])
    assert found.covariance[0, 1] == pytest.approx(-covariance[0, 1])


def test_a_training_that_differs_from_the_next_widens_the_interval_by_as_much():
    # By hand: each logarithm has the variance d² + s²/n, and the forecast one d² + s² beside.
    points = [ShareResult(share, 0.2 * share**-0.5, 0.03, 0.04, 2) for share in SHARES]
    variance = 0.03**2 + 0.04**2 / 2
    x = -np.log(SHARES)
    spread = ((x - x.mean()) ** 2).sum()
    of_line = variance * (1 / 3 + (-math.log(2) - x.mean()) ** 2 / spread)
    low, high = fit_power_law(points).interval(2.0)
    expected = 2 * 1.959964 * math.sqrt(of_line + 0.03**2 + 0.04**2)
    assert math.log(high / low) == pytest.approx(expected)


def test_a_true_power_law_is_found_by_hand():
    # 0.2 · share^-0.5: 40 % at a quarter, 20 % at all, 14.1 % at twice as much.
    found = fit_power_law([ShareResult(share, 0.2 * share**-0.5, 0.01) for share in SHARES])
    assert found.exponent == pytest.approx(0.5)
    assert found.rate(2.0) == pytest.approx(0.2 / math.sqrt(2))
    low, high = found.interval(2.0)
    assert low < 0.1414 < high and high / low < 1.1


def test_the_interval_holds_the_measured_rate_in_about_95_of_100_forecasts():
    generator, held = np.random.default_rng(7), 0
    for _ in range(1000):
        rates = {
            share: 0.1 * share**-0.4 * math.exp(0.08 * generator.standard_normal())
            for share in (*SHARES, 2.0)
        }
        low, high = fit_power_law(
            [ShareResult(share, rates[share], 0.08) for share in SHARES]
        ).interval(2.0)
        held += low <= rates[2.0] <= high
    assert 930 <= held <= 985


def test_points_off_the_line_widen_the_interval():
    straight = fit_power_law([ShareResult(share, 0.2 * share**-0.5, 0.02) for share in SHARES])
    bent = fit_power_law(
        [ShareResult(0.25, 0.4, 0.02), ShareResult(0.5, 0.35, 0.02), ShareResult(1.0, 0.2, 0.02)]
    )
    assert np.log(np.divide(*bent.interval(2.0)[::-1])) > 2 * np.log(
        np.divide(*straight.interval(2.0)[::-1])
    )


@pytest.mark.parametrize(
    ("points", "why"),
    [
        (MEASURED[:2], "3 different shares"),
        ([*MEASURED[:2], MEASURED[0]], "3 different shares"),
        ([*MEASURED[:2], ShareResult(1.0, 0.0, 0.1)], "with 100% of the data the rate is 0"),
        ([*MEASURED[:2], ShareResult(1.0, 0.1, math.nan)], "with 100% of the data has no interval"),
    ],
)
def test_why_there_is_no_forecast_is_said(points, why):
    assert why in fit_power_law(points)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Writes what a training on a share of a corpus writes of it: as it is prepared."""
    folder = tmp_path_factory.mktemp("corpora")

    def prepare(directory, utterances, share):
        if not (folder / str(utterances)).exists():
            corpus(folder / str(utterances), utterances)
        config = settings(folder, dataset_name=str(utterances), train_share=share)
        prepared_rows(Config(data=config), directory, folder)

    return prepare


def sweep(tmp_path, grid, rates, prepared=None, utterances=0):
    """A sweep of stand-ins, the shares of whose data are in ``grid``."""
    overrides = [[f"data.train_share={share}", f"training.seed={seed}"] for share, seed in grid]
    varied = [{"share": share, "seed": seed} for share, seed in grid]
    jobs = make_jobs(overrides, varied, tmp_path / "outputs" / "sweeps" / "shares")
    for job, (share, _) in zip(jobs, grid, strict=True):
        job.directory.mkdir(parents=True)
        if prepared:
            prepared(job.directory, utterances, share)

    def command(job, added):
        behaviour = ["train", str(rates[job.number])]
        return [sys.executable, str(FAKE_JOB), str(job.directory), *behaviour]

    run_sweep(jobs, command, tmp_path / "outputs" / "sweeps" / "shares", working_directory=tmp_path)
    return tmp_path / "outputs" / "sweeps" / "shares" / "forecast.svg"


GRID = [(share, 1) for share in SHARES]


def test_a_sweep_over_shares_ends_in_a_forecast_and_a_plot(tmp_path, capsys):
    drawn = sweep(tmp_path, GRID, [0.4, 0.2828, 0.2])
    said = " ".join(capsys.readouterr().out.split())
    assert "with twice the training data WER 14.1" in said.replace("14.14", "14.1")
    assert "Each doubling leaves 71% of the error rate" in said
    picture = ElementTree.parse(drawn).getroot()
    titles = {one.text for one in picture.iter() if one.tag.endswith("title")}
    assert {"25%: 40.00 %", "50%: 28.28 %", "100%: 20.00 %"} <= titles


def test_seeds_are_averaged_and_their_spread_counts(tmp_path, capsys):
    grid = [(share, seed) for share in SHARES for seed in (1, 2)]
    sweep(tmp_path, grid, [0.40, 0.44, 0.29, 0.31, 0.20, 0.22])
    said = " ".join(capsys.readouterr().out.split())
    # By hand: means 0.42, 0.30, 0.21, close to share^-0.5: about 0.149 at twice the data.
    assert "with twice the training data WER 14.9" in said


def test_a_curve_over_ten_utterances_is_refused(tmp_path, capsys, prepared):
    drawn = sweep(tmp_path, GRID, [0.4, 0.3, 0.2], prepared, utterances=40)
    said = " ".join(capsys.readouterr().out.split())
    assert "No forecast: 0.25 of the training data is 10 utterance(s), too few" in said
    assert not drawn.exists()


def test_a_curve_from_forty_utterances_on_is_drawn(tmp_path, capsys, prepared):
    drawn = sweep(tmp_path, GRID, [0.4, 0.3, 0.2], prepared, utterances=160)
    assert "Forecast: with twice the training data" in capsys.readouterr().out
    assert drawn.exists()


def test_rates_that_do_not_fall_are_said_to_be_no_certain_gain(tmp_path, capsys):
    sweep(tmp_path, GRID, [0.20, 0.21, 0.20])
    assert "it is not certain that more data help" in " ".join(capsys.readouterr().out.split())


def test_another_sweep_has_no_forecast(tmp_path, capsys):
    jobs = make_jobs(
        [[f"training.learning_rate={rate}"] for rate in (1, 2, 3)], [{"r": n} for n in range(3)],
        tmp_path / "sweep",
    )  # fmt: skip

    def command(job, added):
        return [sys.executable, str(FAKE_JOB), str(job.directory), "train", "0.3"]

    run_sweep(jobs, command, tmp_path / "sweep", working_directory=tmp_path)
    assert "orecast" not in capsys.readouterr().out


def test_the_spread_between_seeds_is_that_of_all_shares_and_assumed_where_there_is_one(tmp_path):
    def point(share, rate, n):
        job = SimpleNamespace(swept={SHARE: str(share), "training.seed": str(n)})
        score = SimpleNamespace(metric="WER", value=rate, low=rate / 1.1, high=rate * 1.1)
        return SimpleNamespace(job=job, outcome=SimpleNamespace(score=score, status="done"))

    alone = points_of([point(share, 0.2, 1) for share in SHARES], "WER")
    assert [(one.spread, one.seeds) for one in alone] == [(0.05, 1)] * 3
    pairs = [(0.25, 0.4), (0.25, 0.44), (0.5, 0.3), (1.0, 0.2), (1.0, 0.21)]
    found = points_of([point(share, rate, n) for n, (share, rate) in enumerate(pairs)], "WER")
    # Two differences of logarithms, each half a square of one degree of freedom.
    expected = math.sqrt((math.log(1.1) ** 2 / 2 + math.log(1.05) ** 2 / 2) / 2)
    assert [one.spread for one in found] == pytest.approx([expected] * 3)
    assert [one.seeds for one in found] == [2, 1, 2]


def corpus(folder, rows):
    folder.mkdir()
    lines = ["file_name,text,split"]
    for number in range(rows + 2):
        name, split = f"{number}.wav", "train" if number < rows else "validation"
        soundfile.write(folder / name, 0.1 * np.sin(np.arange(8000) * 0.2), 16000)
        lines.append(f"{name},one two,{split}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.long  # each job is composed three times
def test_a_corpus_that_is_missing_or_too_small_is_said_before_a_job_starts(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path / "few", 10)
    plain = ["model=small", "data.dataset_cache_dir=cache"]
    shares = "data.train_share=0.5,1"  # each job is composed three times
    assert main(["sweep-data", *plain, "data.dataset_name=./nowhere", shares]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["sweep-data", *plain, "data.dataset_name=few"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "0.25 of the training data is 3 utterance(s), too few" in said
    assert not (tmp_path / "outputs").exists()


def test_the_command_sweeps_a_quarter_half_and_all_unless_other_shares_are_typed():
    assert swept(["data=an4"]) == ["-m", "data=an4", "data.train_share=0.25,0.5,1"]
    assert swept(["data.train_share=0.1,1"]) == ["-m", "data.train_share=0.1,1"]
