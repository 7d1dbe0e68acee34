"""Which wheels share a layer: the same division as that of the command line (src/crossdock/layers/grouping.py)."""

# A wheel of this many bytes or more is worth a layer of its own.
LARGE = 1048576

# How many wheels get one, far below the 127 layers at which containerd stops.
MAX_LARGE_LAYERS = 60

GROUPINGS = ["wheel", "grouped"]

# What the command line does unless a project's settings say otherwise, which actions compare with this.
PROJECT_GROUPING = "grouped"

def _by_size(wheel):
    return (-wheel.size, wheel.name)

def _by_name(wheel):
    return wheel.name

def group_wheels(wheels, grouping = "grouped"):
    """Divides wheels into layers.

    Large wheels come first, each a layer; then all small pure ones together, then all small ones of the platform. The
    group of a wheel hangs on that wheel alone as long as there are not too many large ones, so pure layers are the same
    for all platforms.

    Args:
        wheels: list of `WheelInfo`, or of anything else with `name`, `size` and `pure`, no name twice.
        grouping: `grouped`; or `wheel`, where all wheels count as large.

    Returns:
        A list of lists of wheels, lowest layer first.
    """
    if grouping not in GROUPINGS:
        fail("layers is %r: it has to be one of %s" % (grouping, ", ".join(GROUPINGS)))
    least = LARGE if grouping == "grouped" else 0
    by_size = sorted([wheel for wheel in wheels if wheel.size >= least], key = _by_size)
    large = {wheel.name: None for wheel in by_size[:MAX_LARGE_LAYERS]}
    by_name = sorted(wheels, key = _by_name)
    groups = [[wheel] for wheel in by_name if wheel.name in large]
    for pure in (True, False):
        shared = [wheel for wheel in by_name if wheel.name not in large and wheel.pure == pure]
        if shared:
            groups.append(shared)
    return groups
