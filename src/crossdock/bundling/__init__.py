"""From a plan to bundles, one module for each kind, as ``build.py`` is for images; begin with ``ready.py``."""
