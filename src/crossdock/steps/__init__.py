"""The steps from a plan to an artifact, each of which `crossdock.build` takes once."""
