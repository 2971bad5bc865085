"""Getting sample audio in one call, by the name that the first release gave it."""

from __future__ import annotations

from wavenetlike.data import AudioFiles, SpeechCommands, bundled_clips


def download_sample_audio(cutoff: int = 5) -> AudioFiles:
    """``cutoff`` clips of spoken words: Speech Commands where cached or reachable, else the bundled ones; prints which.

    Args:
        cutoff: how many clips, at least 1.

    Returns:
        A dataset of (waveform, sample_rate, label, speaker), see `data.AudioFiles`.
    """
    try:
        clips = SpeechCommands(cutoff)
    except OSError as error:
        why = "is neither cached nor reachable" if isinstance(error, ConnectionError) else f"cannot be used ({error})"
        bundled = bundled_clips(cutoff)
        print(f"Bundled clips: {len(bundled)} words from a speech synthesizer, since Speech Commands {why}.")
        return bundled
    print(f"Speech Commands: {len(clips)} words from real speakers, cached in {clips.folder}.")
    return clips
