"""Everything a plan's layers are made of, found out before any is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.projects.firstparty import build_own_wheel, check_fits
from crossdock.steps.built import with_built_sources
from crossdock.steps.fetching import fetch_to_change
from crossdock.steps.gathering import Wheels
from crossdock.steps.layering import layer_options
from crossdock.steps.rewritten import with_rewritten_wheels
from crossdock.steps.stack import stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.plan import AnyPlan, Plan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.services import Services
    from crossdock.steps.registry_cache import RegistryCache
    from crossdock.steps.stack import LayerForm, LayerOptions, Part

__all__ = ["Prepared", "prepare", "settle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is to be made.

    Attributes:
        asked: The plan as it was made, in which source may still be source.
        plan: The plan in which every package is a wheel.
        own: The project's own wheel.
        wheels: What is known of all wheels.
        options: How layers are made.
    """

    asked: Plan
    plan: Plan
    own: OwnWheel
    wheels: Wheels
    options: LayerOptions

    def stacks(self) -> list[list[Part]]:
        """Give the layers of each target's image, lowest first.

        Raises:
            TooManyLayersError: There would be more than engines can stack.
        """
        return [stack(part, self.own, self.options) for part in self.plan.targets]


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


def prepare(plan: Plan, form: LayerForm, cache: RegistryCache, services: Services) -> Prepared:
    """Build what is source, change what is to be changed, and find out what the layers are made of.

    Args:
        plan: What to build.
        form: How layers are to be.
        cache: What registries know.
        services: The store, and what it is filled by.

    Raises:
        CrossdockError: Whatever can go wrong with sources and wheels has its class.
    """
    settled, own = settle(plan, services, known=cache.own)
    wheels = Wheels(settled, services, cache)
    options = layer_options(settled, form, services, wheels.sizes())
    return Prepared(asked=plan, plan=settled, own=own, wheels=wheels, options=options)
