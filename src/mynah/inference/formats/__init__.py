"""The formats that transcripts are written in, one file each."""

from __future__ import annotations

from mynah.inference.formats import ctm, json, srt, text, textgrid, tsv, vtt
from mynah.inference.formats.format import Format

TRANSCRIPT_FORMATS: dict[str, Format] = {
    one.name: one
    for one in (text.TXT, json.JSON, srt.SRT, vtt.VTT, ctm.CTM, textgrid.TEXTGRID, tsv.TSV)
}
