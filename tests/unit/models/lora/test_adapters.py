"""LoRA in every family: what it adapts, what a checkpoint knows of its base, and more training."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from families import FAMILIES, batch_of, build, loss_of, names, shifted
from safetensors.torch import load_file, save_file
from standins_ctc import KINDS as CTC_KINDS
from tiers import fast_where
from tiny_models import TEXTS, tiny, train
from transcripts import transcribed

from mynah import console
from mynah.config.schema import ModelConfig
from mynah.errors import UserError
from mynah.models import registry
from mynah.models.lora import adapters
from mynah.models.pretrained import hub, weight_files

# One whose encoder is all of it, and one of two models.
SOME = fast_where(lambda family: family in ("ctc", "speech_llm"), FAMILIES)


@pytest.fixture
def notices(monkeypatch):
    said = []
    monkeypatch.setattr(console, "notice", said.append)
    return said


def own_copies(checkpoints, root):
    """Folders of this test's own, which it may spoil."""

    def folder(kind):
        target = root / kind
        return target if target.exists() else shutil.copytree(checkpoints(kind), target)

    return folder


def adapted(family):
    """Paths of the modules that have LoRA matrices."""
    return {
        name.removeprefix("base_model.model.")
        for name, module in family.model.named_modules()
        if hasattr(module, "lora_A")
    }


@pytest.mark.parametrize("family", SOME)
def test_every_matrix_that_lora_adds_is_learned(family, checkpoints, clips):
    made = build(family, checkpoints, use_lora=True)
    made.loss(made.model, batch_of(made, clips)).total.backward()
    grown = {n: p.grad for n, p in made.model.named_parameters() if "lora_B" in n}
    assert len(grown) > 4
    assert all(grad is not None and bool(grad.any()) for grad in grown.values())


@pytest.mark.parametrize(
    "kind",
    [
        "wavlm_ctc",
        *(
            pytest.param(kind, marks=pytest.mark.long)
            for kind in sorted(set(CTC_KINDS) - {"wavlm_ctc"})
        ),
    ],
)
def test_every_matrix_is_learned_in_every_ctc_architecture(kind, checkpoints, clips):
    """WavLM's attention reads the weights of its layers and never calls them, for one."""
    config = tiny(pretrained=str(checkpoints(kind)), use_lora=True)
    made = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    made.loss(made.model, batch_of(made, clips)).total.backward()
    silent = [
        name
        for name, parameter in made.model.named_parameters()
        if "lora_B" in name and (parameter.grad is None or not bool(parameter.grad.any()))
    ]
    assert not silent


def test_wavlm_is_adapted_where_it_listens(checkpoints):
    config = tiny(pretrained=str(checkpoints("wavlm_ctc")), use_lora=True)
    made = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert {path.rsplit(".", 1)[-1] for path in adapted(made)} == {
        "intermediate_dense",
        "output_dense",
        "gru_rel_pos_linear",
    }


@pytest.mark.parametrize(
    "target, within",
    [
        ("encoder.layers.*.q_proj", "model.encoder."),
        ("layers.*.encoder_attn", "model.decoder."),
        ("model.decoder", "model.decoder."),
    ],
)
def test_a_target_by_its_path_is_of_that_part_alone(target, within, checkpoints):
    made = build("seq2seq", checkpoints, use_lora=True, lora_target_modules=[target])
    assert adapted(made)
    assert all(path.startswith(within) for path in adapted(made))


def test_a_name_is_found_in_every_part(checkpoints):
    made = build("seq2seq", checkpoints, use_lora=True, lora_target_modules=["q_proj"])
    assert {path.split(".")[1] for path in adapted(made)} == {"encoder", "decoder"}


@pytest.mark.parametrize(
    ("family", "targets", "inside"),
    [
        ("seq2seq", ["q_proj", "v_proj"], "model.encoder."),  # as presets of large Whispers have
        ("seq2seq", ["all-linear"], "model.encoder."),
        ("transducer", ["all-linear"], "encoder."),
    ],
)
@pytest.mark.parametrize("frozen", ["encoder", "decoder"])
def test_a_frozen_part_gets_no_matrices_whatever_is_named(
    family, targets, inside, frozen, checkpoints
):
    learns = {f"{frozen}_tuning": "frozen"}
    made = build(family, checkpoints, use_lora=True, lora_target_modules=targets, **learns)
    every = adapted(build(family, checkpoints, use_lora=True, lora_target_modules=targets))
    kept = {path for path in every if path.startswith(inside) == (frozen == "decoder")}
    assert kept and kept != every
    assert adapted(made) - {"joint.head"} == kept


@pytest.mark.parametrize("family", ["seq2seq", "transducer"])
def test_a_target_in_a_frozen_part_is_refused_before_weights_are_read(
    family, checkpoints, tmp_path
):
    folder = own_copies(checkpoints, tmp_path)
    named = {**names(family, folder), "use_lora": True, "encoder_tuning": "frozen"}
    config = tiny(**named, lora_target_modules=["encoder.layers.*.self_attn.q_proj"])
    save_file({}, Path(named["pretrained"]) / "model.safetensors")
    with pytest.raises(UserError, match="is of a part that is frozen") as caught:
        registry.check_model(config, sample_rate=16000, offline=True)
    assert "model.lora_target_modules" in str(caught.value)


@pytest.mark.parametrize("family", SOME)
def test_auto_is_the_same_as_nothing_said(family, checkpoints):
    unsaid = build(family, checkpoints, use_lora=True)
    said = build(family, checkpoints, use_lora=True, lora_target_modules=["auto"])
    assert adapted(said) == adapted(unsaid)
    assert said.parameter_table() == unsaid.parameter_table()


@pytest.mark.parametrize("family", SOME)
def test_all_linear_is_all_but_the_heads(family, checkpoints):
    made = build(family, checkpoints, use_lora=True, lora_target_modules=["all-linear"])
    assert adapted(made) >= adapted(build(family, checkpoints, use_lora=True))
    heads = ("lm_head", "proj_out", "joint.head", "ctc_head")
    assert not any(path.endswith(heads) for path in adapted(made))


@pytest.mark.parametrize(
    "target, said",
    [
        ("q_prj", "Did you mean q_proj?"),
        ("encoder.layers.*.self_atn.q_proj", "Did you mean layers.*.self_attn.q_proj?"),
        ("nothing_like_it", "It can adapt: fc1, fc2, k_proj, out_proj, q_proj, v_proj"),
    ],
)
def test_a_target_that_matches_nothing_is_refused_before_weights_are_read(
    target, said, checkpoints, tmp_path
):
    folder = own_copies(checkpoints, tmp_path)
    config = tiny(**names("seq2seq", folder), use_lora=True, lora_target_modules=[target])
    weights = folder("whisper_asr") / "model.safetensors"
    save_file({}, weights)
    with pytest.raises(UserError) as caught:
        registry.check_model(config, sample_rate=16000, offline=True)
    assert target in caught.value.what and said in str(caught.value.fix)


def test_a_head_as_a_target_is_said_to_be_trained_in_full(checkpoints):
    with pytest.raises(UserError, match="lm_head is trained in full"):
        build("ctc", checkpoints, use_lora=True, lora_target_modules=["lm_head"])


@pytest.mark.parametrize("family", SOME)
def test_more_training_keeps_the_matrices_and_says_what_is_not_used(
    family, checkpoints, clips, tmp_path, notices
):
    first = shifted(build(family, checkpoints, use_lora=True))
    first.save(tmp_path / "first")
    notices.clear()
    given = {"language": "en"} if family == "seq2seq" else {}
    config = tiny(pretrained=str(tmp_path / "first"), use_lora=True, lora_r=8, **given)
    again = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    assert any("rank 4" in one and "model.lora_r=8" in one for one in notices)
    assert transcribed(again, clips[:2]) == transcribed(first, clips[:2])
    assert again.parameter_table() == first.parameter_table()
    batch = batch_of(again, clips[:2])
    losses = train(again, batch, steps=1)
    assert losses[1] < losses[0]
    again.save(tmp_path / "second")
    shutil.rmtree(tmp_path / "first")  # the base is that of the first
    torch.testing.assert_close(
        loss_of(registry.load_family(tmp_path / "second"), batch), loss_of(again, batch)
    )


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("family", SOME)
def test_what_a_checkpoint_takes_is_known_before(family, lora, checkpoints, tmp_path):
    made = build(family, checkpoints, use_lora=lora)
    made.save(tmp_path)
    written = sum(
        one.nbytes for f in tmp_path.rglob("*.safetensors") for one in load_file(f).values()
    )
    # Sinusoids, tied weights and running statistics are in one and not in the other.
    assert made.saved_bytes() == pytest.approx(written, rel=0.1)


@pytest.mark.parametrize("family", SOME)
def test_a_merged_model_is_gone_on_with_like_any_other(family, checkpoints, clips, tmp_path):
    first = shifted(build(family, checkpoints, use_lora=True))
    batch = batch_of(first, clips[:2])
    before = loss_of(first, batch)
    first.merge()
    torch.testing.assert_close(loss_of(first, batch), before, rtol=1e-5, atol=1e-4)
    first.save(tmp_path)
    for settings in ({"use_lora": True}, {}):
        config = tiny(pretrained=str(tmp_path), **settings)
        again = registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
        torch.testing.assert_close(loss_of(again, batch), before, rtol=1e-5, atol=1e-4)
        assert bool(adapted(again)) == bool(settings)
        losses = train(again, batch, steps=1, rate=1e-3)
        assert losses[1] < losses[0]


@pytest.mark.parametrize("family", SOME)
def test_an_adapter_knows_the_weights_it_was_trained_on(family, checkpoints, tmp_path):
    folder = own_copies(checkpoints, tmp_path)
    made = build(family, folder, use_lora=True)
    made.save(tmp_path / "adapter")
    bases = {str(p): weight_files.digest(p) for p in tmp_path.iterdir() if p.name != "adapter"}
    assert made.base_revisions() == bases

    base = folder(sorted(bases)[0].rsplit("/", 1)[-1])
    weights = load_file(base / "model.safetensors")
    name = sorted(weights)[0]
    save_file({**weights, name: weights[name] + 1}, base / "model.safetensors")
    config = tiny(pretrained=str(tmp_path / "adapter"), use_lora=True)
    for action in (
        lambda: registry.load_family(tmp_path / "adapter"),
        lambda: registry.check_checkpoint(tmp_path / "adapter"),
        lambda: registry.check_model(config, sample_rate=16000, offline=True),
    ):
        with pytest.raises(UserError, match="builds on other weights") as caught:
            action()
        assert str(base) in str(caught.value) and caught.value.fix

    shutil.rmtree(base)
    with pytest.raises(UserError, match="that folder is not there"):
        registry.check_model(config, sample_rate=16000, offline=True)


def test_a_base_that_was_moved_is_found_by_a_link(checkpoints, clips, tmp_path):
    folder = own_copies(checkpoints, tmp_path)
    made = shifted(build("ctc", folder, use_lora=True))
    made.save(tmp_path / "adapter")
    base = tmp_path / "hubert_ctc"
    base.rename(tmp_path / "moved")
    with pytest.raises(UserError) as caught:
        registry.load_family(tmp_path / "adapter")
    assert caught.value.where == str(tmp_path / "adapter" / "adapter_config.json")
    assert f"ln -s NEW_PLACE {base}" in str(caught.value)
    base.symlink_to(tmp_path / "moved")
    assert transcribed(registry.load_family(tmp_path / "adapter"), clips[:1]) == transcribed(
        made, clips[:1]
    )


def test_the_digest_of_one_file_is_that_of_sha256sum(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    # NIST, FIPS 180-2, appendix B.1
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert weight_files.digest(tmp_path) == f"sha256:{known}"


def test_an_adapter_differs_from_another_by_its_matrices_and_by_its_scale(tmp_path):
    def commit(matrices, scale):
        (tmp_path / "adapter_model.safetensors").write_bytes(matrices)
        (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": scale}))
        return hub.commit_of(hub.checkpoint(tmp_path))

    first = commit(b"one", 8)
    # As `sha256sum adapter_config.json adapter_model.safetensors | sha256sum` has it.
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (
            ("adapter_config.json", b'{"lora_alpha": 8}'),
            ("adapter_model.safetensors", b"one"),
        )
    )
    assert first == f"sha256:{hashlib.sha256(sums.encode()).hexdigest()}"
    assert len({first, commit(b"other", 8), commit(b"one", 16)}) == 3
    assert commit(b"one", 8) == first


@pytest.mark.parametrize("family", SOME)
def test_an_adapter_takes_audio_of_its_own_rate_alone(family, checkpoints, tmp_path):
    build(family, checkpoints, use_lora=True).save(tmp_path)
    config = tiny(pretrained=str(tmp_path), use_lora=True)
    for rate in (8000, 24000):
        with pytest.raises(UserError, match=f"16000 Hz, and data.sample_rate is {rate}") as caught:
            registry.check_model(config, sample_rate=rate, offline=True)
        assert caught.value.fix == "data.sample_rate=16000"
    registry.check_model(config, sample_rate=16000, offline=True)


def test_an_adapter_as_an_encoder_takes_audio_of_its_own_rate_alone(checkpoints, tmp_path):
    build("ctc", checkpoints, use_lora=True).save(tmp_path)
    config = tiny(encoder_model_name=str(tmp_path), decoder_model_name=str(checkpoints("chat_lm")))
    with pytest.raises(UserError, match=r"16000 Hz, and data\.sample_rate is 8000"):
        registry.check_model(config, sample_rate=8000, offline=True)


@pytest.mark.parametrize(
    ("family", "first", "settings", "unused"),
    fast_where(
        lambda family, *_: family in ("seq2seq", "ctc"),
        [
            ("seq2seq", {}, {"encoder_tuning": "frozen"}, ["model.encoder_tuning=frozen"]),
            ("seq2seq", {}, {"encoder_tuning": "lora", "decoder_tuning": "lora"}, []),
            (
                "seq2seq",
                {"encoder_tuning": "frozen"},
                {"encoder_tuning": "lora"},
                ["model.encoder_tuning=lora"],
            ),
            ("seq2seq", {"encoder_tuning": "frozen"}, {"encoder_tuning": "frozen"}, []),
            ("ctc", {}, {"encoder_tuning": "lora", "decoder_tuning": "lora"}, []),
            ("ctc", {}, {"decoder_tuning": "frozen"}, ["model.decoder_tuning=frozen"]),
            ("transducer", {}, {"encoder_tuning": "frozen"}, ["model.encoder_tuning=frozen"]),
            ("audio_llm", {}, {"encoder_tuning": "lora"}, ["model.encoder_tuning=lora"]),
            ("audio_llm", {}, {"projector_tuning": "full"}, ["model.projector_tuning=full"]),
            ("audio_llm", {"projector_tuning": "full"}, {"projector_tuning": "full"}, []),
        ],
    ),
    ids=str,
)
def test_how_parts_learn_is_never_changed_silently(
    family, first, settings, unused, checkpoints, tmp_path, notices
):
    build(family, checkpoints, use_lora=True, **first).save(tmp_path)
    notices.clear()
    language = {"language": "en"} if family == "seq2seq" else {}
    config = tiny(pretrained=str(tmp_path), use_lora=True, **settings, **language)
    registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)
    (said,) = [one for one in notices if "Continuing the LoRA matrices" in one]
    assert [one for one in said.split() if "_tuning=" in one] == unused
    assert ("not used" in said) == bool(unused)


def test_a_rank_is_never_changed_silently(checkpoints, notices):
    made = build("ctc", checkpoints, use_lora=True)
    same = dataclasses.replace(ModelConfig(), lora_r=4, lora_alpha=8)
    adapters.say_continued(made.model, same, "there")
    adapters.say_continued(made.model, dataclasses.replace(same, lora_alpha=99), "there")
    assert "not used" not in notices[-2] and "model.lora_alpha=99" in notices[-1]
