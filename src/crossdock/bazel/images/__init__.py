"""Images of layers that other actions have made: composed, met, proved and put together."""
