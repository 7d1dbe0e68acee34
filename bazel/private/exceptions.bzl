"""Exceptions to the proof, as BUILD files have them."""

_KEYS = ["code", "expires", "package", "path", "reason"]

EXCEPTION_ATTRS = {
    "exceptions": attr.string_list(doc = "Exceptions to the proof, each as JSON."),
}

def encoded_exceptions(exceptions, where):
    """Turns exceptions into the attribute of a rule with `EXCEPTION_ATTRS`.

    Args:
        exceptions: list of dicts of strings, with the keys of `[[tool.crossdock.verify.exceptions]]`.
        where: str: whose they are, for errors.

    Returns:
        A list of str.
    """
    for number, exception in enumerate(exceptions):
        missing = [key for key in ("reason", "expires") if type(exception) == "dict" and not exception.get(key)]
        strange = [key for key in exception if key not in _KEYS] if type(exception) == "dict" else ["no dict"]
        if missing or strange:
            fail(("%s: exceptions, number %d: %s\n" +
                  "  Write one as {\"package\": \"old-solver\", \"code\": \"executable-stack\", \"reason\": \"…\", \"expires\": \"2027-01-31\"},\n" +
                  "  with package or path or both, perhaps with code, and with the last day it counts, or \"never\".") % (
                where,
                number + 1,
                "it has no " + " and no ".join(missing) if missing else "it is no dict" if strange == ["no dict"] else "there is no key %r" % strange[0],
            ))
    return [json.encode(exception) for exception in exceptions]

def has_dates(exceptions):
    """Tells whether one of some exceptions ends.

    Args:
        exceptions: as in `encoded_exceptions`.

    Returns:
        A bool.
    """
    return any([exception.get("expires") != "never" for exception in exceptions])

def exceptions_file(ctx):
    """Writes the exceptions of a rule with `EXCEPTION_ATTRS` to a file.

    Args:
        ctx: context of the rule.

    Returns:
        A list of that File; empty if there are no exceptions.
    """
    if not ctx.attr.exceptions:
        return []
    file = ctx.actions.declare_file(ctx.label.name + ".exceptions.json")
    ctx.actions.write(file, "[%s]\n" % ",\n".join(ctx.attr.exceptions))
    return [file]
