"""Versions of what is seen and of the rules, for whoever keeps what they came to."""

from __future__ import annotations

from typing import Final

__all__ = ["FACTS_VERSION", "RULES_VERSION", "SUMMARY_VERSION"]

#: Raised whenever more, or something else, is seen in the same layer.
FACTS_VERSION: Final = 4
#: Raised whenever the same artifact is judged otherwise.
RULES_VERSION: Final = 4
#: Raised whenever a summary of the same layer is written otherwise.
SUMMARY_VERSION: Final = 3
