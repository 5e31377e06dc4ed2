"""Speech LLMs of stand-ins, and the plain language models they can be compared with."""

import torch
from peft import PeftModel
from safetensors.torch import load_file
from tiny_models import TEXTS, tiny
from transformers import AutoModelForCausalLM

from mynah.models import registry
from mynah.models.speech_llm.network import AUDIO_TOKEN


def build(checkpoints, encoder="whisper", decoder="chat_lm", **settings):
    """A speech LLM; its encoder is from scratch where ``encoder`` is None."""
    torch.manual_seed(0)
    config = tiny(
        encoder_model_name=str(checkpoints(encoder)) if encoder else None,
        decoder_model_name=str(checkpoints(decoder)),
        **settings,
    )
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def go_on(directory, **settings):
    """A speech LLM that was saved, trained on."""
    config = tiny(pretrained=str(directory), **settings)
    return registry.build(config, texts=TEXTS, sample_rate=16000, offline=True)


def plain_language_model(family, base, directory):
    """What plain transformers and peft make of a checkpoint's language model.

    Args:
        family: Is saved to ``directory``.
        base: The checkpoint its language model was loaded from.
    """
    family.save(directory)
    full, adapter = directory / "language_model", directory / "adapter"
    model = AutoModelForCausalLM.from_pretrained(full if full.exists() else base)
    if (file := directory / "new_tokens.safetensors").exists():
        rows = load_file(file)
        first = family.model.config.first_new_token
        last = first + len(rows["embedded"])
        if last > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(last, mean_resizing=False)
        with torch.no_grad():
            model.get_input_embeddings().weight[first:last] = rows["embedded"]
            head = model.get_output_embeddings()
            head.weight[first:last] = rows.get("scored", rows["embedded"])
            if "bias" in rows:
                head.bias[first:last] = rows["bias"]
    if adapter.exists():
        model = PeftModel.from_pretrained(model, str(adapter))
    return model.eval()


def loss_by_hand(family, language_model, rows):
    """(sum, tokens) of the plain language model's own loss, one utterance at a time."""
    total, count = 0.0, 0
    for row in rows:
        batch = family.collate([row])
        ids = batch["input_ids"]
        with torch.no_grad():
            audio = family.model.audio_vectors(
                **{
                    name: batch[name]
                    for name in (
                        "input_features",
                        "feature_lengths",
                        "audio_frames",
                        "input_features_mask",
                    )
                    if name in batch
                }
            )
            embedded = language_model.get_input_embeddings()(ids.clamp(min=0))
            embedded[ids == AUDIO_TOKEN] = audio
            own = language_model(inputs_embeds=embedded, labels=batch["labels"]).loss
        total += own.item() * len(row.labels)
        count += len(row.labels)
    return total, count
