"""The project being built: its settings, entry point and own wheel."""
