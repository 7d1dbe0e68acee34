"""The rules of the proof, one module for each area: pure functions from a case to what is wrong with it."""
