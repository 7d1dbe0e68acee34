"""From a plan with sources and settings to one of wheels alone, the project's own among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.projects.firstparty import build_own_wheel, check_fits
from crossdock.steps.built import with_built_sources
from crossdock.steps.fetching import fetch_to_change
from crossdock.steps.rewritten import with_rewritten_wheels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.plan import AnyPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.services import Services

__all__ = ["settle"]


def settle(plan: AnyPlan, services: Services, *, known: Mapping[str, Any] | None = None) -> tuple[AnyPlan, OwnWheel]:
    """Build what is source and change what is to be changed, so that a plan has nothing but wheels.

    Args:
        plan: What to build.
        services: The store, and what it is filled by.
        known: What is known elsewhere of the project's own wheel: see `build_own_wheel`.

    Returns:
        The plan with those wheels, and the project's own.

    Raises:
        CrossdockError: Whatever can go wrong with sources and wheels has its class.
    """
    own = build_own_wheel(plan.project, services, locked=plan.locked, known=known)
    fetch_to_change(plan, services)
    settled = with_built_sources(plan, services, locked=plan.locked)
    settled = with_rewritten_wheels(settled, services)
    for part in settled.targets:
        check_fits(own, part.target)
    return settled, own
