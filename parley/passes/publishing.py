"""Writes what operators say of passes into the log, in the order that lets no seal be missed."""

from collections.abc import Sequence

from parley import clock
from parley.codec.config import config_record
from parley.config import ConfigChange
from parley.errors import UserError
from parley.log.admin import incarnation_of, topic_ends
from parley.log.config_tail import ConfigTail
from parley.log.producer import Producer, RecordTooLarge
from parley.passes.applied import AppliedPass, PassActivation, SealsPosition, Subscription
from parley.passes.catalog import Catalog
from parley.passes.planning import Change, Standing, Step, Wanted, find, plan, put_in_force
from parley.settings import Settings
from parley.topics import Topic


async def read_catalog(settings: Settings) -> Catalog:
    """What the log says of passes now; raises UserError without Kafka or the topic."""
    catalog = Catalog()
    tail = ConfigTail(settings, catalog)
    await tail.start()
    await tail.close()
    return catalog


async def apply_passes(settings: Settings, wanted: Sequence[Wanted], who: str) -> list[Step]:
    """Apply definitions, and put new versions in force; returns what was done.

    A crash leaves versions in force without offsets, which count for every seal; the same again
    finishes them. Raises UserError, with nothing written where something cannot be applied.
    """
    steps = plan(await read_catalog(settings), wanted, clock.now())
    bodies: list[AppliedPass | PassActivation] = []
    for step in steps:
        # An activation without its version changes nothing; the other way round it would be
        # known as a version that nobody wants in force.
        if step.activation is not None and not step.activation.is_placed:
            bodies.append(step.activation)
        if step.change is not Change.UNCHANGED:
            bodies.append(step.applied)
    await publish(settings, bodies, who)
    await finish_activations(settings, {step.applied.name for step in steps}, who)
    after = await read_catalog(settings)
    for step in steps:
        _check_holds(after, step)
    return steps


async def enable(settings: Settings, name: str, version: int | None, who: str) -> PassActivation:
    """Put a version of a pass in force; returns its activation. Raises UserError."""
    catalog = await read_catalog(settings)
    activation = put_in_force(catalog, name, version, clock.now())
    if not activation.is_placed:
        await publish(settings, [activation], who)
        await finish_activations(settings, {name}, who)
    return await _activation_now(settings, name, activation)


async def disable(settings: Settings, name: str, who: str) -> PassActivation | None:
    """Put no version of a pass in force; None where none was. Raises UserError."""
    said = (await read_catalog(settings)).activation(name)
    if said is None or not said.body.is_enabled:
        return None
    await publish(settings, [said.body.disabled()], who)
    return await _activation_now(settings, name, said.body.disabled())


async def resume(settings: Settings, name: str, who: str) -> PassActivation:
    """Have a suspended pass tried again, by every analyzer; raises UserError."""
    catalog = await read_catalog(settings)
    find(catalog, name)
    said = catalog.activation(name)
    if said is None:
        raise UserError(
            f"{name} was never enabled, so nothing of it is suspended.",
            f"Put it in force with `parley passes enable {name}`.",
        )
    resumed = said.body.resumed(clock.now())
    await publish(settings, [resumed], who)
    held = await _activation_now(settings, name, resumed)
    if held.resumed_at != resumed.resumed_at:
        raise _changed(name)
    return held


async def publish(
    settings: Settings,
    bodies: Sequence[AppliedPass | PassActivation | Subscription],
    who: str,
    tenant_id: str = "",
) -> None:
    """Write records of the config topic, one after the other; all are durable afterwards."""
    producer = Producer(settings)
    await producer.start()
    try:
        for body in bodies:
            change = ConfigChange(tenant_id, who, clock.now(), body)
            await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    except RecordTooLarge as error:
        raise UserError(f"A definition is too large for a record: {error}.") from error
    finally:
        await producer.stop()


async def finish_activations(settings: Settings, names: set[str], who: str) -> None:
    """Give those of the passes their offsets that are in force without any.

    What is in force without offsets is durable before the ends are asked for. So whoever has a
    seal from beyond them, and then reads this topic up to its end, knows that the pass is in force.
    """
    catalog = await read_catalog(settings)
    said = [catalog.activation(name) for name in sorted(names)]
    unplaced = [
        one.body
        for one in said
        if one is not None and one.body.is_enabled and not one.body.is_placed
    ]
    if unplaced:
        since = await seals_position(settings)
        await publish(settings, [one.placed(since) for one in unplaced], who)


async def seals_position(settings: Settings) -> SealsPosition:
    """The ends of the seals topic now."""
    topic = settings.topic(Topic.SEALS)
    incarnation = await incarnation_of(settings, topic)
    ends = await topic_ends(settings, topic)
    return SealsPosition(incarnation, tuple(one.end for one in ends))


def _check_holds(after: Catalog, step: Step) -> None:
    applied, said = step.applied, after.activation(step.applied.name)
    known = after.version(applied.name, applied.version)
    is_in_force = said is not None and said.body.is_enabled and said.body.is_placed
    expected = step.standing is not Standing.IN_FORCE or is_in_force
    if known is None or known.fingerprint != applied.fingerprint or not expected:
        raise _changed(applied.name)


async def _activation_now(settings: Settings, name: str, wanted: PassActivation) -> PassActivation:
    said = (await read_catalog(settings)).activation(name)
    if (
        said is None
        or said.body.is_enabled != wanted.is_enabled
        or said.body.latest.version != wanted.latest.version
    ):
        raise _changed(name)
    return said.body


def _changed(name: str) -> UserError:
    return UserError(
        f"Somebody else changed {name} at the same moment.",
        "See with `parley passes list` what is set now, and run the command again.",
    )
