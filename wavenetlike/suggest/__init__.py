"""From a dataset to a model: `spans` says how far back to look and why, `shapes` makes a config of it, `probe` measures what it costs here.

`suggest` puts them together, `report` is what it answers; `search` tries what it allows. Taught in notebooks/06_choosing_a_model.ipynb.
"""

from wavenetlike.suggest.choose import suggest
from wavenetlike.suggest.found import Search, Trial
from wavenetlike.suggest.report import Suggestion, Suggestions
from wavenetlike.suggest.search import search
from wavenetlike.suggest.shapes import shape
from wavenetlike.suggest.spans import Span, spans

__all__ = ["Search", "Span", "Suggestion", "Suggestions", "Trial", "search", "shape", "spans", "suggest"]
