"""Getting sample audio in one call, by the name that the first release gave it."""

from __future__ import annotations

from wavenetlike.data import Clips, bundled_clips, speech_commands


def download_sample_audio(cutoff: int = 5) -> Clips:
    """``cutoff`` clips of spoken words: Speech Commands where cached or reachable, else the bundled ones; prints which.

    Args:
        cutoff: how many clips, at least 1.

    Returns:
        A dataset of (waveform, sample_rate, label, speaker), see `data.Clips`.
    """
    try:
        clips = speech_commands(cutoff)
    except OSError as error:
        clips = bundled_clips(cutoff)
        why = "is neither cached nor reachable" if isinstance(error, ConnectionError) else f"cannot be used ({error})"
        print(f"Bundled clips: {len(clips)} words from a speech synthesizer, since Speech Commands {why}.")
    else:
        print(f"Speech Commands: {len(clips)} words from real speakers, cached in {clips.folder}.")
    return clips
