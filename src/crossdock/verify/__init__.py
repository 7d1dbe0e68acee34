"""The proof: reads what is in an artifact and says whether it fits what the artifact claims to be.

Knows nothing of how an artifact was built, so it serves images that others made just as well.
"""
