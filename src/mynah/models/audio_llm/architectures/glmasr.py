"""GLM-ASR: windows of 30 s, four of an encoder's frames a token, an instruction in words."""

from __future__ import annotations

from mynah.models.audio_llm.architecture import Architecture
from mynah.models.audio_llm.requests import InstructionRequests
from mynah.models.audio_llm.windows import masked_windows

ARCHITECTURE = Architecture(masked_windows, InstructionRequests)
