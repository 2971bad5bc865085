"""From a dataset to a model: `spans` says how far back to look and why, `shapes` makes a config of it, `probe` measures what it costs here.

`suggest` puts them together, `report` is what it answers. Taught in notebooks/06_choosing_a_model.ipynb.
"""

from wavenetlike.suggest.choose import suggest
from wavenetlike.suggest.report import Suggestion, Suggestions
from wavenetlike.suggest.shapes import shape
from wavenetlike.suggest.spans import Span, spans

__all__ = ["Span", "Suggestion", "Suggestions", "shape", "spans", "suggest"]
