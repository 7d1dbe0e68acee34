"""The test for CI: assertions on artifacts for pytest and any other test runner, and the cases of `crossdock test`.

pytest loads `crossdock.testing.plugin` wherever crossdock is installed, so nothing here is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossdock.testing.asserting import CrossCompiled, assert_cross_compiled
    from crossdock.testing.building import BuiltArtifact

__all__ = ["BuiltArtifact", "CrossCompiled", "assert_cross_compiled"]

_PLACES = {
    "BuiltArtifact": "crossdock.testing.building",
    "CrossCompiled": "crossdock.testing.asserting",
    "assert_cross_compiled": "crossdock.testing.asserting",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  PEP 562
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
