"""The page of ``mynah data augment``: each utterance before and after, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from mynah.pages.axes import show_number, ticks
from mynah.pages.clips import ClipBudget, data_address
from mynah.pages.document import Section, document, resource
from mynah.pages.markup import Markup, join, tag
from mynah.pages.spectrogram import HOP_SECONDS, bin_of, picture_address, spectrogram_picture
from mynah.preview.augmented import Augmented, PreviewedClip

# Sizes in the drawing's own units; the page scales it to its column.
_WIDTH, _HEIGHT = 520, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 6, 24
_HERTZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def preview_page(
    made: Sequence[Augmented],
    *,
    corpus: str,
    sample_rate: int,
    epoch: int,
    created: datetime,
    command: str,
    settings: str,
) -> str:
    """The page as text.

    Args:
        made: The utterances.
        corpus: Name of the corpus.
        sample_rate: Hertz of the audio.
        epoch: Which pass over the data they are sampled for.
        created: When, UTC.
        command: How it is made again.
        settings: The settings of augmentation, as YAML.
    """
    budget = ClipBudget()
    sections = [
        Section(one.id, f"utterance{number}", _utterance(one, sample_rate, budget))
        for number, one in enumerate(made)
    ]
    sections.append(Section("About this page", "about", _about(command, settings)))
    return document(
        title=f"Mynah: augmentation of {corpus}",
        heading=f"Augmentation of {corpus}",
        created=created,
        about=[f" · what a training takes in epoch {epoch}"],
        sections=sections,
        style=resource("mynah.preview", "augmented_page.css"),
        script="",
    )


_IN_WORDS = ("speed", "room", "gain_db", "noise", "telephone", "vocal_tract", "spec_augment")


def describe_sampled(sampled: dict[str, Any]) -> list[str]:
    """What was sampled, in words for people."""
    said: list[str] = []
    if "speed" in sampled:
        said.append(f"speed {sampled['speed']:g}")
    room = sampled.get("room")
    if isinstance(room, dict):
        size = " × ".join(f"{side:.1f}" for side in room["size"])
        said.append(
            f"room {size} m, RT60 {room['rt60_seconds']:.2f} s, "
            f"microphone at {room['distance_meters']:.1f} m"
        )
    elif room is not None:
        said.append(f"room {room}")
    if "gain_db" in sampled:
        said.append(f"gain {sampled['gain_db']:+.1f} dB")
    if "noise" in sampled:
        noise = sampled["noise"]
        what = ", ".join(piece["file"] for piece in noise.get("pieces", ()))
        what = what or f"made, {noise['colour']:.0%} pink"
        said.append(f"noise {noise['snr_db']:.1f} dB below the speech: {what}")
    if "telephone" in sampled:
        said.append(f"telephone, {sampled['telephone']}")
    if "vocal_tract" in sampled:
        said.append(f"frequencies × {sampled['vocal_tract']:.2f} (not shown)")
    if "spec_augment" in sampled:
        masks = sampled["spec_augment"]
        said.append(
            f"masked: {masks['time_masked']:.1%} of the time, "
            f"{masks['frequency_masked']:.1%} of the bands"
        )
    said += [f"{name}: {value}" for name, value in sampled.items() if name not in _IN_WORDS]
    return said or ["nothing was sampled this time"]


def _utterance(one: Augmented, sample_rate: int, budget: ClipBudget) -> Markup:
    # Both are shown to one scale, in time and in loudness.
    seconds = max(len(clip.audio) for clip in (one.before, one.after)) / sample_rate
    loudest = max(float(clip.decibels.max()) for clip in (one.before, one.after))
    shown = [
        tag(
            "figure",
            tag(
                "figcaption",
                tag("strong", name),
                tag(
                    "span",
                    f"{len(clip.audio) / sample_rate:.2f} s, {clip.level_db:.1f} dB",
                    class_="quiet",
                ),
            ),
            _spectrogram(clip, sample_rate, seconds, loudest, f"{name}: {one.id}"),
            _player(clip, sample_rate, budget, f"{one.id}, {name}"),
        )
        for name, clip in (("before", one.before), ("after", one.after))
    ]
    return join(
        [
            tag("p", one.text, class_="spoken"),
            tag(
                "ul", [tag("li", said) for said in describe_sampled(one.sampled)], class_="sampled"
            ),
            tag("div", shown, class_="pair"),
        ]
    )


def _spectrogram(
    clip: PreviewedClip, sample_rate: int, seconds: float, loudest: float, description: str
) -> Markup:
    bins = clip.decibels.shape[1]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    scale = (right - _LEFT) / max(seconds, HOP_SECONDS)
    decibels = np.where(clip.masked, loudest - 40, clip.decibels)
    labels = [
        tag("text", f"{time:g} s", class_="x", x=round(_LEFT + time * scale, 1), y=_HEIGHT - 8)
        for time in ticks(0.0, seconds)
        if _LEFT + time * scale <= right - 8
    ]
    for hertz in _HERTZ:
        if hertz < sample_rate / 2:
            place = bottom - bin_of(hertz, sample_rate, bins) / bins * (bottom - _TOP)
            name = show_number(hertz) if hertz < 1000 else f"{hertz // 1000} k"
            labels.append(tag("text", name, class_="y", x=_LEFT - 6, y=round(place + 4, 1)))
    return tag(
        "svg",
        tag("title", f"Spectrogram, {description}"),
        tag(
            "image",
            href=picture_address(spectrogram_picture(decibels, loudest)),
            x=_LEFT,
            y=_TOP,
            width=round(len(clip.audio) / sample_rate * scale, 1),
            height=bottom - _TOP,
            preserveAspectRatio="none",
        ),
        labels,
        class_="spectrogram",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
    )


def _player(clip: PreviewedClip, sample_rate: int, budget: ClipBudget, name: str) -> Markup:
    address = budget.spend(data_address(clip.audio, sample_rate))
    if address is None:
        return tag("span", "recording left out: the page is large enough", class_="quiet")
    return tag("audio", controls=True, preload="none", src=address, aria_label=f"Recording: {name}")


def _about(command: str, settings: str) -> Markup:
    return join(
        [
            tag(
                "p",
                "Frequencies are in hertz, on the mel scale; the brightest point of each pair is "
                "white, and what lies 80 decibels below it black. Masks of SpecAugment are one "
                "colour; they are on the features, and cannot be listened to. What was sampled is "
                "a function of the seed, the epoch and the utterance's id: a training with these "
                "settings gets the same.",
            ),
            tag("h3", "Command"),
            tag("pre", command, tabindex="0"),
            tag("h3", "Settings"),
            tag("pre", settings, tabindex="0"),
        ]
    )
