"""The corpus formats there are, by name.

Names are known without importing a format. A format's own file says everything else of it.
"""

from __future__ import annotations

from typing import Any

from mynah.config.plugins.registry import Registry, lacking

AUTO_FORMAT = "auto"  # found by looking
_ROOM = "mynah.data.sources"
_CONTRACT = ("format", "recognizes", "open", "splits", "parts", "table")


def _wrong(found: object) -> str | None:
    """What a plug-in's format lacks of ``mynah.data.sources.reading.source.Source``."""
    return lacking(found, _CONTRACT)


# What lies in a folder is of the first format that recognizes it, Mynah's own in this order;
# then of a plug-in's; else it is a plain folder.
FORMATS: Registry[Any] = Registry(
    "corpus format",
    "mynah.sources",
    {
        "synthetic": f"{_ROOM}.synthetic:SyntheticSource",
        "disk": f"{_ROOM}.disk:DiskSource",
        "packed": f"{_ROOM}.packed:PackedSource",
        "an4": f"{_ROOM}.an4:AN4Source",
        "librispeech": f"{_ROOM}.librispeech:LibriSpeechSource",
        "speechocean762": f"{_ROOM}.speechocean762:SpeechOcean762Source",
        "kaldi": f"{_ROOM}.kaldi:KaldiSource",
        "lhotse": f"{_ROOM}.lhotse:LhotseSource",
        "common_voice": f"{_ROOM}.common_voice:CommonVoiceSource",
        "ljspeech": f"{_ROOM}.ljspeech:LJSpeechSource",
        "nemo": f"{_ROOM}.nemo:NemoSource",
        "webdataset": f"{_ROOM}.webdataset:WebDatasetSource",
        "parquet": f"{_ROOM}.parquet:ParquetSource",
        "folder": f"{_ROOM}.folder:FolderSource",
        "hub": f"{_ROOM}.hub:HubSource",
        "shards": f"{_ROOM}.shards:ShardsSource",
    },
    _wrong,
)


def format_choices() -> tuple[str, ...]:
    """All that ``data.format`` takes."""
    return (AUTO_FORMAT, *FORMATS.names)
