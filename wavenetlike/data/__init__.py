"""Where series and waveforms come from: AR(2), sunspots, bundled clips, Speech Commands; and windows of them."""

from wavenetlike.data.ar2 import ar2_process, is_stationary, largest_root
from wavenetlike.data.clips import Clips, bundled_clips, read_audio
from wavenetlike.data.speech_commands import speech_commands
from wavenetlike.data.sunspots import FIRST_YEAR, sunspots
from wavenetlike.data.windows import encode_clips, window_batch

__all__ = [
    "FIRST_YEAR",
    "Clips",
    "ar2_process",
    "bundled_clips",
    "encode_clips",
    "is_stationary",
    "largest_root",
    "read_audio",
    "speech_commands",
    "sunspots",
    "window_batch",
]
