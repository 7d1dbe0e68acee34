"""What an artifact is built for: the value every decision is a function of."""

from crossdock.targets.complete import complete_platform
from crossdock.targets.environment import MARKER_KEYS, marker_environment
from crossdock.targets.platform import ARCHITECTURES, Libc, Platform, parse_platform
from crossdock.targets.python import Python, parse_python
from crossdock.targets.spec import TargetSpec, parse_target
from crossdock.targets.tags import LibcPolicy, platform_tags, wheel_tags
from crossdock.targets.target import Target

__all__ = [
    "ARCHITECTURES",
    "MARKER_KEYS",
    "Libc",
    "LibcPolicy",
    "Platform",
    "Python",
    "Target",
    "TargetSpec",
    "complete_platform",
    "marker_environment",
    "parse_platform",
    "parse_python",
    "parse_target",
    "platform_tags",
    "wheel_tags",
]
