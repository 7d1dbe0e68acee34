"""Which packages a zip for AWS Lambda can do without, as the runtime has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["SDK", "SDK_NEEDS", "left_to_runtime"]

#: The AWS SDK itself, whose versions belong together ("The Python runtimes include Boto3 and its dependencies":
#: docs.aws.amazon.com/lambda/latest/dg/python-package.html).
SDK: Final = frozenset({"boto3", "botocore", "s3transfer"})
#: What that needs, and other packages may need too.
SDK_NEEDS: Final = frozenset({"jmespath", "python-dateutil", "six", "urllib3"})


def left_to_runtime(needed_by: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Decide which packages are left out.

    The SDK is, whoever needs it. What it needs is only if no package that stays needs it: a version of such a package
    that the lock decided on has to be there.

    Args:
        needed_by: All packages there are, and who needs each; the project is ``""``.
    """
    gone = {name for name in needed_by if name in SDK or name in SDK_NEEDS}
    while True:
        stays = {name for name in gone - SDK if not gone.issuperset(needed_by[name]) or not needed_by[name]}
        if not stays:
            return frozenset(gone)
        gone -= stays
