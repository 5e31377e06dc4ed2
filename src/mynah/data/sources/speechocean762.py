"""speechocean762 as openslr.org/101 distributes it: Mandarin-accented English, half of it of
children, with scores of pronunciation.

    speechocean762/{train,test}/{wav.scp,text,utt2spk}
    speechocean762/WAVE/SPEAKER0001/000010011.WAV     and resource/scores.json
    python src/train_hydra.py data.path=speechocean762 data.eval_splits=[test]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mynah.config.schema import DataConfig
from mynah.data.row import Row
from mynah.data.sources.kaldi import keyed_lines
from mynah.data.sources.reading import values
from mynah.data.sources.reading.extras import as_columns
from mynah.data.sources.reading.lines import as_object, parse_json, read_all
from mynah.data.sources.reading.paths import AudioPaths
from mynah.data.sources.reading.source import Place, SplitFilesSource
from mynah.errors import UserError

_SPLITS = ("train", "test")
_SCORES = Path("resource") / "scores.json"


class SpeechOcean762Source(SplitFilesSource):
    """Splits ``train`` and ``test``, 2500 utterances of 125 speakers each, speakers disjoint."""

    format = "speechocean762"
    is_corpus = True

    @classmethod
    def recognizes(cls, root: Path) -> bool:
        return any(
            (folder / "WAVE").is_dir() and (folder / "train" / "wav.scp").is_file()
            for folder in (root, root / "speechocean762")
        )

    @classmethod
    def open(cls, config: DataConfig, place: Place) -> SpeechOcean762Source:
        root = (place.working_directory / Path(config.path or config.dataset_name)).expanduser()
        root = root.resolve()
        for folder in (root, root / "speechocean762"):
            splits = {
                name: [folder / name] for name in _SPLITS if (folder / name / "wav.scp").is_file()
            }
            if splits and (folder / "WAVE").is_dir():
                return cls(
                    config, place, name="speechocean762", identity=str(folder), splits=splits
                )
        raise UserError(
            "There is no speechocean762 here: a folder with train/wav.scp, test/wav.scp and WAVE/ "
            "is needed.",
            where=str(root),
            fix="data.path=FOLDER, as speechocean762",
        )

    def read(self, split: str, paths: Sequence[Path]) -> list[Row]:
        (folder,) = paths
        root = folder.parent
        finder = AudioPaths(root, self._config, self._place)
        texts = {name: rest for name, (_, rest) in keyed_lines(folder / "text").items()}
        speakers = {name: rest for name, (_, rest) in keyed_lines(folder / "utt2spk").items()}
        scores = _scores(root / _SCORES) if not texts else {}
        of_speakers = {name: keyed_lines(folder / f"spk2{name}") for name in ("gender", "age")}
        rows = []
        for name, (number, rest) in keyed_lines(folder / "wav.scp").items():
            where = f"{folder / 'wav.scp'}, line {number}"
            text = texts.get(name) or scores.get(name, "")
            rows.append(
                Row(
                    id=name,
                    path=finder.find(rest, where),
                    text=" ".join(text.split()) or None,
                    speaker=speakers.get(name, ""),
                    language="en",
                    source=f"speechocean762 {split}",
                    columns=as_columns(
                        {
                            what: found[speakers[name]][1]
                            for what, found in of_speakers.items()
                            if speakers.get(name) in found
                        }
                    ),
                )
            )
        return rows


def _scores(path: Path) -> dict[str, str]:
    """The sentence of each utterance, as the file of the scores has it.

    Raises:
        UserError: The file is none of JSON, or a sentence is not text.
    """
    if not path.is_file():
        return {}
    held = as_object(parse_json(read_all(path), path), path, None)
    return {
        name: values.text(about.get("text"), "text", f"{path}, {name}")
        for name, about in held.items()
        if isinstance(about, dict)
    }
