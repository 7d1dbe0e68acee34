"""Files that are for one platform, as tests see them."""

ArtifactInfo = provider(
    doc = "A PEX file or zip that was built for one target.",
    fields = {
        "exceptions": "list[File]: exceptions to the proof: JSON, or a project's pyproject.toml.",
        "file": "File: the artifact.",
        "target": "str: its target with its Python, as in `linux/arm64+glibc2.28 3.11`, or `aws-lambda-python3.13/arm64`.",
    },
)

BuiltForInfo = provider(
    doc = "What a binary was built for, whoever asks for it.",
    fields = {
        "python": "str: its Python, as in `3.11`.",
        "target": "str: its target, as in `linux/arm64+glibc2.28`.",
    },
)

def check_built_for(binary, target, where):
    """Refuses a binary that is for one platform where another is asked for.

    Args:
        binary: Target.
        target: `TargetInfo` of what is made of it.
        where: str: label of that.
    """
    if BuiltForInfo not in binary:
        return
    built = binary[BuiltForInfo]
    if (built.target, built.python) != (target.spelling, target.python_spelling):
        fail(("%s is for %s with Python %s, but %s, of which it is to be made, is for %s with Python %s\n" +
              "  Give the binary of the same platform and Python, or one that is built for whatever is asked for.") % (
            where,
            target.spelling,
            target.python_spelling,
            binary.label,
            built.target,
            built.python,
        ))
