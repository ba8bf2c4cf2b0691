#!/usr/bin/env python3
"""Makes the clips beside it: the demo's sentences, said by flite's free voices, as a telephone carries them.

    apt-get install flite sox && crates/sim/src/clips/make.py

A voice says whole sentences, so that the melody is right. Where it pauses between two clauses, the clip may be cut:
the list beside each clip has a line for each clause, with the byte behind its last one.
"""

import re
import subprocess
import tempfile
from pathlib import Path

VOICES = {"agent": "slt", "caller": "rms"}

LINES = {
    "agent": [
        "Hello, this is the bakery on Mill Street. What can I do for you?",
        "We open at six on weekdays and at seven on Saturdays, and on Sundays we are closed. Rye bread comes out of "
        "the oven at eight, so if you want it warm that is the time to come by.",
        "You are welcome. See you soon!",
        "I only pretend to be a bakery, so this is all I know. With a key of your own I would listen.",
    ],
    "caller": [
        "When are you open, and do you have rye bread?",
        "Thanks, that is all I wanted to know.",
    ],
}

RATE = 8000
SILENCE = b"\xff"


def say(voice, sentence, folder):
    """The sentence as µ-law, and where its clauses end."""
    wav, raw = folder / "said.wav", folder / "said.ul"
    said = subprocess.run(
        ["flite", "-voice", voice, "-t", sentence, "-o", wav, "-psdur"], check=True, capture_output=True, text=True
    ).stdout
    phones = [(name, float(end)) for name, end in (phone.split(":") for phone in said.split())]
    pauses = [
        ((phones[i - 1][1] if i else 0.0), end) for i, (name, end) in enumerate(phones) if name == "pau"
    ]
    clauses = re.findall(r"[^,.?!]+[,.?!]", sentence)
    assert len(pauses) == len(clauses) + 1, (sentence, pauses)
    # A band as a telephone has it, and as loud as people speak into one.
    subprocess.run(
        ["sox", "-D", wav, "-t", "ul", "-r", str(RATE), "-c", "1", raw, "norm", "-4", "sinc", "200-3600", "rate", "-v"],
        check=True,
    )
    sound = raw.read_bytes()
    # The voice begins at once, and takes a breath behind each sentence.
    begin, breath = max(0.0, pauses[0][1] - 0.02), 0.3
    ends = [(start + end) / 2 for start, end in pauses[1:-1]] + [pauses[-1][0] + breath]
    cuts = [round((end - begin) * RATE) for end in ends]
    sound = sound[round(begin * RATE) :].ljust(cuts[-1], SILENCE)[: cuts[-1]]
    return sound, [(cut, clause.strip()) for cut, clause in zip(cuts, clauses)]


for speaker, lines in LINES.items():
    audio, listed = b"", []
    with tempfile.TemporaryDirectory() as folder:
        for sentence in (s for line in lines for s in re.findall(r"[^.?!]+[.?!]", line)):
            sound, clauses = say(VOICES[speaker], sentence.strip(), Path(folder))
            listed += [f"{len(audio) + end}\t{clause}\n" for end, clause in clauses]
            audio += sound
    here = Path(__file__).parent
    (here / f"{speaker}.ulaw").write_bytes(audio)
    (here / f"{speaker}.txt").write_text("".join(listed))
