"""Settings of ``model``: which recognizer is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mynah.config.plugins.families import family_choices
from mynah.config.schema.nature import Nature
from mynah.config.schema.parts import EncoderConfig, ProjectorConfig, TransducerConfig
from mynah.config.schema.setting import section, setting


@dataclass
class ModelConfig:
    """Which recognizer is trained. Exactly one of three ways: from scratch (nothing
    named), `pretrained`, or `encoder_model_name` with `decoder_model_name`."""

    family: str = setting(
        "auto",
        "Architecture family; auto: found from the names below.",
        nature=Nature.STEP,
        choices=family_choices,
    )
    options: dict[str, Any] = setting(
        {},
        "Settings specific to the family, for families of plug-ins that define any, e.g. {blocks: "
        "4}.",
        nature=Nature.STEP,
    )
    pretrained: str | None = setting(
        None,
        "A full pretrained recognizer: a hub name, or a folder in the format of transformers or, "
        "for Whisper, of CTranslate2 (faster-whisper).",
        nature=Nature.STEP | Nature.NAME,
    )
    encoder_model_name: str | None = setting(
        None,
        "Pretrained speech encoder: a hub name or a folder, e.g. of a recognizer that you "
        "trained; null: built from scratch.",
        nature=Nature.STEP | Nature.NAME,
    )
    decoder_model_name: str | None = setting(
        None,
        "Pretrained causal language model behind the encoder, a hub name or a folder.",
        nature=Nature.STEP | Nature.NAME,
    )
    revision: str | None = setting(
        None,
        "Branch, tag or commit of `pretrained` or of `encoder_model_name`.",
        nature=Nature.STEP,
    )
    decoder_revision: str | None = setting(
        None, "Branch, tag or commit of `decoder_model_name`.", nature=Nature.STEP
    )
    trust_remote_code: bool = setting(
        False,
        "Run code that comes with a model's repository. Leave it off unless you have read that "
        "code.",
        nature=Nature.RUN,
    )
    recommended_learning_rate: float | None = setting(
        None,
        "Peak learning rate that is known to work well for this model, tuned the way its preset "
        "does; used where training.learning_rate is null.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    attn_implementation: str | None = setting(
        None, "Attention kernel, as sdpa or eager; null: the library's choice.", nature=Nature.RUN
    )
    dtype: str | None = setting(
        None,
        "Precision in which frozen weights are stored and computed; trained weights are always "
        "float32, whatever their file holds; null: float32.",
        nature=Nature.STEP,
        choices=("float32", "bfloat16", "float16"),
    )
    quantization: str | None = setting(
        None,
        "4bit: store the linear layers that are frozen or adapted with LoRA in four bits (NF4, "
        "QLoRA); only for LoRA on a CUDA GPU.",
        nature=Nature.STEP,
        choices=("4bit",),
    )
    architecture: str = setting(
        "fastconformer",
        "Architecture of a CTC model built from scratch: fastconformer (Parakeet's classes) or a "
        "name of transformers; `encoder` sets its sizes.",
        nature=Nature.STEP,
        choices=(
            "fastconformer",
            "parakeet_ctc",
            "wav2vec2",
            "hubert",
            "wavlm",
            "unispeech",
            "unispeech-sat",
            "data2vec-audio",
            "sew",
            "sew-d",
            "wav2vec2-conformer",
            "wav2vec2-bert",
            "lasr_ctc",
            "granite_speech5_ctc",
        ),
    )
    encoder: EncoderConfig = section(EncoderConfig, "Sizes of an encoder built from scratch.")
    transducer: TransducerConfig = section(
        TransducerConfig, "Sizes of a transducer built from scratch, beside its encoder's."
    )
    tokenizer: str = setting(
        "bpe",
        "Tokenizer of a model built from scratch, trained on the corpus.",
        nature=Nature.STEP,
        choices=("bpe", "character"),
    )
    new_tokenizer: str | None = setting(
        None,
        "Give a pretrained CTC model a tokenizer trained on the transcripts, and a new last layer "
        "to match: for a language or script that its own tokenizer cannot write; null: it keeps "
        "its own.",
        nature=Nature.STEP,
        choices=("bpe", "character"),
    )
    vocab_size: int = setting(
        128,
        "Pieces of the trained BPE tokenizer, blank included.",
        nature=Nature.STEP,
        unit="tokens",
        minimum=8,
    )
    language_model: str = setting(
        "none",
        "Language model for the beam search of a CTC model or a transducer; words: word n-grams "
        "of the training transcripts (CTC only); FILE.arpa: n-grams of mynah lm, KenLM or SRILM; "
        "FILE.txt: n-grams of that text; none: the likeliest label at each step.",
        nature=Nature.DECODING,
    )
    language_model_weight: float | None = setting(
        None,
        "Exponent of the language model's probability in decoding; null: 0.7, or 0.2 for a "
        "transducer, which has learned words itself.",
        nature=Nature.DECODING,
        minimum=0.0,
    )
    internal_language_model_weight: float = setting(
        0.3,
        "Exponent of a transducer's internal language model, the probability of its labels "
        "without audio, which is divided out when decoding with n-grams.",
        nature=Nature.DECODING,
        minimum=0.0,
    )
    word_bonus: float = setting(
        0.0, "Added to a hypothesis for each of its words.", nature=Nature.DECODING, unit="nats"
    )
    context_file: str | None = setting(
        None,
        "A list of words and phrases, one per line, e.g. names and products: beam search with a "
        "CTC model or a transducer favours them, and Whisper gets them as a prompt before each "
        "transcript; null: none.",
        nature=Nature.DECODING | Nature.PATH,
    )
    context_weight: float = setting(
        1.0,
        "Bonus in the beam for each letter of a phrase in context_file; if it is too high, "
        "phrases are written where nobody said them.",
        nature=Nature.DECODING,
        unit="nats",
        minimum=0.0,
    )
    beam_size: int = setting(
        12,
        "Hypotheses kept from frame to frame, or step to step.",
        nature=Nature.DECODING,
        minimum=1,
    )
    projector: ProjectorConfig = section(
        ProjectorConfig, "Projector between encoder and language model."
    )
    prompt: str | None = setting(
        None,
        "Instruction to the language model, never part of the loss; null: that of the model's "
        "authors, or `Transcribe the speech.` if they give none.",
        nature=Nature.STEP,
    )
    context_dropout: float = setting(
        0.5,
        "Probability that a row's context (names and terms, column `context`) is left out in "
        "training, so that a speech LLM or Whisper also works without it; sampled again each "
        "epoch.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=1.0,
    )
    language: str | None = setting(
        None,
        "Spoken language, e.g. en, for models that are conditioned on it (Whisper, Canary, "
        "Cohere, Speech2Text, Qwen3-ASR, Voxtral, Fun-ASR); null: each row's own.",
        nature=Nature.STEP | Nature.DECODING,
    )
    task: str | None = setting(
        None,
        "What the model is asked to do; translate: write in English what is spoken in another "
        "language (Whisper, Canary); null: transcribe.",
        nature=Nature.STEP | Nature.DECODING,
        choices=("transcribe", "translate"),
    )
    timestamps: bool = setting(
        False,
        "A pretrained Whisper learns, and writes, when each text begins and ends.",
        nature=Nature.STEP,
    )
    audio_window: str = setting(
        "auto",
        "What a pretrained Whisper encodes; native: every clip padded to 30 s, as in pretraining; "
        "clip: each clip at its own length, a fraction of the work for short clips, for weights "
        "trained that way; auto: as its checkpoint was trained (native where that is not "
        "recorded), and clip before a language model.",
        nature=Nature.STEP,
        choices=("auto", "native", "clip"),
    )
    audio_tail_seconds: float | None = setting(
        None,
        "Silence after every clip that is not padded to Whisper's 30 s (`audio_window: clip`): "
        "about 5 s keep weights that were never trained on short input from repeating themselves; "
        "null: as the checkpoint was trained, 0 where that is not recorded.",
        nature=Nature.STEP,
        unit="seconds",
        minimum=0.0,
        maximum=30.0,
    )
    encoder_tuning: str | None = setting(
        None,
        "How the encoder is trained; frozen: not at all; lora: with LoRA; full: every weight; "
        "null: frozen before a language model, otherwise lora with use_lora and full without; "
        "full where it is built from scratch.",
        nature=Nature.STEP,
        choices=("frozen", "lora", "full"),
    )
    projector_tuning: str | None = setting(
        None,
        "Whether the projector before a language model is trained; null: full, but frozen where a "
        "pretrained speech LLM gets LoRA.",
        nature=Nature.STEP,
        choices=("frozen", "full"),
    )
    decoder_tuning: str | None = setting(
        None,
        "How the language model, or whatever else follows a pretrained encoder, is trained; "
        "frozen, lora or full, as in encoder_tuning; null: lora with use_lora, otherwise full.",
        nature=Nature.STEP,
        choices=("frozen", "lora", "full"),
    )
    ctc_consistency: float = setting(
        0.0,
        "Weight of CR-CTC (arXiv 2410.05101; 0.2 there): features are changed twice, and what "
        "a CTC model recognizes in each copy is pulled towards the other; a batch is up to "
        "twice the work.",
        nature=Nature.STEP,
        minimum=0.0,
    )
    ctc_intermediate: float = setting(
        0.0,
        "Share of the total loss that goes to the labels that a FastConformer's CTC head reads "
        "halfway up its layers (InterCTC, arXiv 2102.03216; 0.3 there): a model from scratch "
        "learns sooner; decoding does not change.",
        nature=Nature.STEP,
        minimum=0.0,
        maximum=0.9,
    )
    ctc_head_weight: float = setting(
        0.0,
        "Weight of the loss of a CTC head on the encoder, added to a language model's loss; the "
        "head's tokenizer (`tokenizer`, `vocab_size`) is trained on the transcripts; 0: no such "
        "head.",
        nature=Nature.STEP,
        minimum=0.0,
    )
    new_tokens: list[str] = setting(
        [],
        "Tokens added to the language model, e.g. ['<laughter>'], and trained even where the rest "
        "of it is frozen; an end-of-text token is added where its tokenizer has none.",
        nature=Nature.STEP,
    )
    use_lora: bool = setting(
        False,
        "Adapt pretrained weights with LoRA instead of training them: a full recognizer's, or the "
        "language model's; encoder_tuning and decoder_tuning set this for each part.",
        nature=Nature.STEP,
    )
    lora_r: int = setting(
        32, "Rank of the LoRA matrices.", nature=Nature.STEP | Nature.LORA, minimum=1
    )
    lora_alpha: int = setting(
        64,
        "LoRA scale; the update is scaled by alpha / r.",
        nature=Nature.STEP | Nature.LORA,
        minimum=1,
    )
    lora_dropout: float = setting(
        0.05,
        "Dropout before the LoRA matrices.",
        nature=Nature.STEP | Nature.LORA,
        minimum=0.0,
        maximum=0.9,
    )
    lora_use_rslora: bool = setting(
        False,
        "Scale the update by alpha / sqrt(r), so that a high rank learns as fast as a low one "
        "(rsLoRA, arXiv 2312.03732); lora_alpha should then be smaller, e.g. sqrt(r).",
        nature=Nature.STEP | Nature.LORA,
    )
    lora_use_dora: bool = setting(
        False,
        "Learn the magnitude of each row of a weight matrix separately from its direction (DoRA, "
        "arXiv 2402.09353): closer to full training at a low rank, and slower.",
        nature=Nature.STEP | Nature.LORA,
    )
    lora_init_weights: str = setting(
        "default",
        "How the LoRA matrices are initialized, by peft's names; default: A uniform (Kaiming), B "
        "zero; gaussian: A normal, B zero; orthogonal: both orthogonal, with a product of zero, "
        "for an even rank. Those that change the base weights (pissa, olora, …) are not offered: "
        "an adapter alone would not fit its base.",
        nature=Nature.STEP | Nature.LORA,
        choices=("default", "gaussian", "orthogonal"),
    )
    lora_target_modules: list[str] | None = setting(
        None,
        "Modules that get LoRA, by name or path; before a language model, encoder.q_proj and "
        "decoder.q_proj tell the two parts apart; null: what suits the architecture.",
        nature=Nature.STEP | Nature.LORA,
    )
    generation_max_length: int = setting(
        256,
        "Most tokens a generated transcript may have.",
        nature=Nature.DECODING,
        unit="tokens",
        minimum=1,
    )
