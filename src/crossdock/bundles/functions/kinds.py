"""What each cloud wants of the zip of a function: where packages lie in it, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["AWS", "AZURE", "GOOGLE", "KINDS", "FunctionKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionKind:
    """A cloud's functions.

    Attributes:
        name: Part of the zip's file name.
        service: What it is called.
        family: The family of runtimes (``crossdock.targets.runtimes``) that are of this kind.
        packages: Folder in the zip that is on ``sys.path``, where wheels are installed; empty for the zip's root.
        taken: Files of the project's folder that come along without being asked for, where they are.
        zipped: Most bytes of a zip that is uploaded directly; 0 if no limit is known.
        unpacked: The unpacked bytes have to be less than this; 0 if no limit is known.
        enforced: Whether a zip that is too large unpacked can be used nowhere, so that it is not made.
        limits_of: Who has these limits.
        advice: What to do about a zip that is too large to be uploaded directly.
    """

    name: str
    service: str
    family: str
    packages: str = ""
    taken: tuple[str, ...] = ()
    zipped: int = 0
    unpacked: int = 0
    enforced: bool = False
    limits_of: str = ""
    advice: str = ""


#: The numbers are those of GetAccountSettings (CodeSizeZipped, CodeSizeUnzipped): docs.aws.amazon.com/lambda/latest/dg/
#: example_lambda_GetAccountSettings_section.html and gettingstarted-limits.html. The second is one for the function and
#: its layers together, and what Lambda says is "Unzipped size must be smaller than 262144000 bytes".
AWS: Final = FunctionKind(
    name="lambda",
    service="AWS Lambda",
    family="AWS Lambda",
    zipped=52_428_800,
    unpacked=262_144_000,
    enforced=True,
    limits_of="AWS Lambda",
    advice="upload it to Amazon S3, and name its place there instead of the file",
)
#: Packages beside main.py are "local dependencies": docs.cloud.google.com/run/docs/runtimes/python-dependencies. The
#: limits are those of functions of the 1st generation; the 2nd has none: docs.cloud.google.com/functions/quotas.
GOOGLE: Final = FunctionKind(
    name="google",
    service="Google Cloud Run functions",
    family="Google Cloud Run and Cloud Functions",
    taken=("main.py",),
    zipped=100_000_000,
    unpacked=500_000_000,
    limits_of="the 1st generation of Google Cloud Run functions",
    advice="deploy it as a function of the 2nd generation, which has no such limit",
)
#: learn.microsoft.com/azure/azure-functions/python-build-options, "Deployment package considerations".
AZURE: Final = FunctionKind(
    name="azure",
    service="Azure Functions",
    family="Azure Functions",
    packages=".python_packages/lib/site-packages",
    taken=("host.json", "function_app.py"),
)

#: By family of runtimes.
KINDS: Final = {kind.family: kind for kind in (AWS, GOOGLE, AZURE)}
