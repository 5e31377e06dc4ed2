"""What is kept from training where a corpus has no evaluation split."""

from stored_corpora import stored_corpus

from mynah.data.preparation.held_out import hold_out


def of_speakers(directory, speakers):
    return stored_corpus(directory, [{"speaker": speaker} for speaker in speakers])


def test_one_speaker_is_always_left_to_learn_from(tmp_path):
    corpus = of_speakers(tmp_path / "two", ["anna", "ben"])
    held = hold_out(corpus, fraction=0.9, file=tmp_path / "held.json")
    assert len(held.names) == 1


def test_a_choice_that_was_cut_short_is_made_again(tmp_path):
    corpus, file = of_speakers(tmp_path / "none", [""] * 50), tmp_path / "held.json"
    first = hold_out(corpus, fraction=0.1, file=file)
    file.write_text(file.read_text()[:20])
    assert hold_out(corpus, fraction=0.1, file=file).names == first.names
    assert first.by == "utterance" and len(first.names) == 5


def test_a_choice_of_names_that_are_all_gone_is_made_again(tmp_path):
    file = tmp_path / "held.json"
    hold_out(of_speakers(tmp_path / "old", ["ann", "bob", "cid"]), fraction=0.3, file=file)
    held = hold_out(of_speakers(tmp_path / "new", ["dan", "eve", "fay"]), fraction=0.3, file=file)
    assert held.names < {"dan", "eve", "fay"} and held.names


def cut_recordings(root, *, speakers=("",)):
    return [
        {
            "audio": {"path": f"{root}/call{number // 5}.wav", "bytes": None},
            "offset_seconds": float(number % 5),
            "speaker": speakers[number % len(speakers)],
        }
        for number in range(40)
    ]


def test_all_utterances_of_a_recording_are_on_one_side(tmp_path):
    corpus = stored_corpus(tmp_path / "calls", cut_recordings("/a"), shards=3)
    held = hold_out(corpus, fraction=0.2, file=tmp_path / "held.json", root="/a")
    assert held.by == "recording" and len(held.names) == 2
    inside = held.rows(corpus)
    calls = [corpus.recording(row) for row in range(40)]
    assert inside.sum() == 10
    assert not {c for c, i in zip(calls, inside, strict=True) if i} & {
        c for c, i in zip(calls, inside, strict=True) if not i
    }


def test_the_choice_of_recordings_does_not_hang_on_where_they_lie(tmp_path):
    chosen = [
        hold_out(
            stored_corpus(tmp_path / root[1:], cut_recordings(root)),
            fraction=0.2, file=tmp_path / f"{root[1:]}.json", root=root,
        ).names
        for root in ("/here", "/elsewhere")
    ]  # fmt: skip
    assert chosen[0] == chosen[1]


def test_where_only_some_speakers_are_known_none_of_those_is_on_both_sides(tmp_path):
    rows = cut_recordings("/a", speakers=("ann", "ben", "", "cid"))
    corpus = stored_corpus(tmp_path / "calls", rows)
    held = hold_out(corpus, fraction=0.3, file=tmp_path / "held.json")
    assert held.by == "speaker or recording"
    inside = held.rows(corpus)
    for names in (corpus.speakers, [corpus.recording(row) for row in range(40)]):
        known = [
            (name, bool(held_out))
            for name, speaker, held_out in zip(names, corpus.speakers, inside, strict=True)
            if speaker == "" or names is corpus.speakers
            if name
        ]
        assert len(set(known)) == len({name for name, _ in known})
