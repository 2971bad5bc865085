"""Where series and waveforms come from: AR(2), other processes whose truth is known, sunspots, bundled clips, Speech Commands, your own; and windows of them."""

from wavenetlike.data.ar2 import ar2_process, is_stationary, largest_root, switching_ar2
from wavenetlike.data.audio import audio_bytes, read_audio, resample, signal_to_noise, wav_bytes
from wavenetlike.data.clips import AudioFiles, Clips, bundled_clips
from wavenetlike.data.codes import Codes, EncodedClips, encode_clips
from wavenetlike.data.conditions import Conditions, Frames, conditions, vocabulary
from wavenetlike.data.frames import mel_frames
from wavenetlike.data.processes import ar_process, long_memory, seasonal_ar, sines, threshold_ar
from wavenetlike.data.select import Trimmed, hold_out, loud_part
from wavenetlike.data.speech_commands import SpeechCommands
from wavenetlike.data.sunspots import FIRST_YEAR, sunspots
from wavenetlike.data.waveforms import Waveforms, audio_files
from wavenetlike.data.windows import Window, Windows

__all__ = [
    "FIRST_YEAR",
    "AudioFiles",
    "Clips",
    "Codes",
    "Conditions",
    "EncodedClips",
    "Frames",
    "SpeechCommands",
    "Trimmed",
    "Waveforms",
    "Window",
    "Windows",
    "ar2_process",
    "ar_process",
    "audio_bytes",
    "audio_files",
    "bundled_clips",
    "conditions",
    "encode_clips",
    "hold_out",
    "is_stationary",
    "largest_root",
    "long_memory",
    "loud_part",
    "mel_frames",
    "read_audio",
    "resample",
    "seasonal_ar",
    "signal_to_noise",
    "sines",
    "sunspots",
    "switching_ar2",
    "threshold_ar",
    "vocabulary",
    "wav_bytes",
]
