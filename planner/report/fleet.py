"""Fleets over time as sentences and tables: autoscaling, failures, spot capacity, surges."""

from __future__ import annotations

import re

from planner.report.simulated import clock
from planner.report.tables import TextTable, Translate
from planner.schema import Autoscaled, FailedFleet, FleetSeries, PolicyResult, SpotDay, SpotFleet, Surge
from planner.units import floored, percent, si

SHOWN_ROWS = 12


def autoscale_sentence(found: Autoscaled, _: Translate) -> str:
    """What comes, what one replica holds, and how long a new one takes."""
    start = found.start
    text = _(
        "{profile}: {mean:.3g} requests/s on average, {peak:.3g} at the peak. One replica holds {holds:.3g} within "
        "the promise and takes {takes:.3g}. A new one serves after {seconds}: machine {node}, image {image}, weights "
        "{load} (bound by {bound}), engine {engine}; in that time the rate grows {growth:.2f}-fold at most, in 99 % "
        "of cases."
    )
    return text.format(
        profile=found.profile,
        mean=found.mean_rate_per_s,
        peak=found.peak_rate_per_s,
        holds=found.replica_holds_per_s,
        takes=found.replica_takes_per_s,
        seconds=si(start.seconds, "s"),
        node=si(start.node_s, "s"),
        image=si(start.image_s, "s"),
        load=si(start.load_s, "s"),
        bound=stage_words(_)[start.bound],
        engine=si(start.engine_s, "s"),
        growth=found.growth_p99,
    )


def spot_day_sentence(found: SpotDay, _: Translate) -> str:
    """What part of the fleet is on spot capacity, and what its zones do in this time."""
    text = _(
        "Always on demand: {base} replicas; the others are on Spot at {ratio} of the price, in {zones} zones that "
        "have capacity {shares} of this time, all are gone {gone} of it, and vanish with all that they hold. What no "
        "zone takes is started on demand. Of a lost replica's requests {caught} begin anew."
    )
    return text.format(
        base=found.base,
        ratio=percent(found.price_ratio, 0),
        zones=found.zones,
        shares=", ".join(percent(share, 0) for share in found.available),
        gone=percent(found.all_gone),
        caught=percent(found.caught_share),
    )


def stage_words(_: Translate) -> dict[str, str]:
    """Stages of loading."""
    return {"storage": _("storage"), "loader": _("the loader"), "staging": _("host memory"), "pcie": "PCIe"}


def policy_table(found: Autoscaled, _: Translate) -> TextTable:
    """One row per autoscaler."""
    headings = (
        _("Autoscaler"),
        _("Follows"),
        _("Kept"),
        _("Time kept"),
        _("GPU-hours"),
        _("Of fixed"),
        _("Idle"),
        _("Up/down"),
        _("Replicas"),
        *((_("On Spot"), _("Lost"), _("Cost of fixed")) if found.spot else ()),
    )
    rows = tuple(
        (
            policy.rule,
            followed(policy.settings, _),
            percent(policy.attained_by_requests, 2),
            percent(policy.attained_by_time),
            f"{policy.gpu_hours:,.0f}",
            percent(policy.gpu_hours_ratio, 0),
            percent(policy.idle_share, 0),
            f"{policy.ups}/{policy.downs}",
            f"{policy.least_ready}–{policy.most_ready}",
            *(_on_spot(policy) if found.spot else ()),
        )
        for policy in found.policies
    )
    return TextTable(_("Autoscalers over {time}").format(time=clock(found.duration_s)), headings, rows, 2)


def followed(settings: str, _: Translate) -> str:
    """Metric and target of an autoscaler in the reader's language; what is spelled otherwise stays as it is."""
    metrics = {"concurrency": _("concurrency"), "rate": _("rate"), "waiting": _("waiting")}
    for pattern, words in (
        (r"(?P<metric>\w+) (?P<target>\S+) per replica", _("{metric} {target} per replica")),
        (r"(?P<metric>concurrency) (?P<target>\S+) x (?P<share>\d+)%", _("{metric} {target} × {share} %")),
        (r"rate in (?P<lead>\S+) s at (?P<target>\S+)/s per replica", _("rate in {lead} s at {target}/s per replica")),
        (r"(?P<n>\d+) replicas", _("{n} replicas")),
    ):
        found = re.fullmatch(pattern, settings)
        if found:
            told = found.groupdict()
            return words.format(**told | {"metric": metrics.get(told.get("metric", ""), told.get("metric", ""))})
    return settings


def _on_spot(policy: PolicyResult) -> tuple[str, str, str]:
    share = policy.spot_gpu_hours / policy.gpu_hours if policy.gpu_hours else 0.0
    cost = "–" if policy.cost_ratio is None else percent(policy.cost_ratio, 0)
    return percent(share, 0), str(policy.lost), cost


def day_table(series: FleetSeries, _: Translate) -> TextTable:
    """A fleet's time in a dozen rows."""
    each = max(len(series.time_s) // SHOWN_ROWS, 1)
    rows = []
    for first in range(0, len(series.time_s), each):
        part = slice(first, first + each)
        worst = [value for value in series.ttft_p99_s[part] if value is not None]
        lost = len(worst) < len(series.ttft_p99_s[part])
        rows.append(
            (
                clock(series.time_s[first]),
                f"{_mean(series.rate_per_s[part]):.3g}",
                f"{_mean(series.capacity_per_s[part]):.3g}",
                f"{_mean(series.ready[part]):.3g}",
                f"{_mean(series.starting[part]):.2g}",
                "–" if lost else si(max(worst), "s"),
                percent(min(series.attained[part]), 1),
            )
        )
    headings = (
        _("From"),
        _("Requests/s"),
        _("Held/s"),
        _("Ready"),
        _("Starting"),
        _("Worst P99 TTFT"),
        _("Least kept"),
    )
    return TextTable(_("By time, {rule}").format(rule=series.rule), headings, tuple(rows))


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def failure_sentence(found: FailedFleet, _: Translate) -> str:
    """How often enough replicas are ready, against the promise."""
    kept = (
        _("Failures: {needed} of {installed} replicas are ready {ready} of the time, the promise is {target}: kept.")
        if found.met
        else _(
            "Failures: {needed} of {installed} replicas are ready {ready} of the time, the promise is {target}: BROKEN."
        )
    )
    if found.spares_needed is None:
        spares = _("No number of spares reaches it.")
    else:
        spares = _("Spares that it takes: {spares}.").format(spares=found.spares_needed)
    head = kept.format(
        needed=found.needed,
        installed=found.installed,
        ready=floored(found.chance, 3),
        target=percent(found.target, 2),
    )
    outages = _("Fewer are left {times:.2g} times a year, for {hours:.2g} h each.")
    return " ".join((head, spares, outages.format(times=found.outages_per_year, hours=found.outage_hours)))


def failure_table(found: FailedFleet, _: Translate) -> TextTable:
    """Availability by time and by requests under a rate that varies."""
    rows = (
        (_("by time"), floored(found.by_time, 3), floored(found.by_time_unfailing, 3)),
        (_("by requests"), floored(found.by_requests, 3), floored(found.by_requests_unfailing, 3)),
        (_("requests that can be carried"), floored(found.served, 3), "–"),
    )
    title = _("Within the promise while the rate follows {profile}").format(profile=found.profile)
    return TextTable(title, ("", _("With failures"), _("If nothing failed")), rows)


def spot_sentence(found: SpotFleet, _: Translate) -> str:
    """What spot capacity costs, and what must be firm."""
    must = (
        _("no number of firm replicas is enough")
        if found.firm_base is None
        else _("{base} of {needed} replicas must be firm").format(base=found.firm_base, needed=found.needed)
    )
    reaching = found.reaching
    reach = _("With gaps filled on demand nothing less than all on demand reaches it, of what was tried.")
    if reaching.spot:
        reach = _(
            "With gaps filled on demand the cheapest that reaches it is {base} on demand and {spot} on Spot, ready "
            "{ready} of the time, at {cost} of the cost of all on demand."
        ).format(
            base=reaching.base,
            spot=reaching.spot,
            ready=floored(reaching.ready, 3),
            cost=percent(reaching.cost_ratio, 0),
        )
    text = _(
        "Spot at {ratio} of the on-demand price, {zones} zones with capacity {share} of the time that come and go "
        "together (correlation {correlation:.2f}): for {target}, {must} where nothing fills gaps. {reach} Of the "
        "requests in flight at a notice {caught} begin anew, {lost} of work lost for each in flight."
    )
    told = text.format(
        ratio=percent(found.price_ratio, 0),
        zones=found.zones,
        share=percent(found.available_fraction, 0),
        correlation=found.correlation,
        target=percent(found.target, 2),
        must=must,
        reach=reach,
        caught=percent(found.recomputed_share),
        lost=si(found.lost_s_per_request, "s"),
    )
    if found.monthly_interruption is None:
        return told
    low, high = found.monthly_interruption
    said = (
        _("The cloud says that more than {low} of such instances are interrupted in a month, somewhere.")
        if high is None
        else _("The cloud says that {low} to {high} of such instances are interrupted in a month.")
    )
    return f"{told} {said.format(low=percent(low, 0), high=percent(high or 0.0, 0))}"


def spot_table(found: SpotFleet, _: Translate) -> TextTable:
    """One row per mix."""
    headings = (_("On demand"), _("Spot"), _("Ready"), _("Without fallback"), _("Cost"), _("Interruptions/day"))
    rows = tuple(
        (
            str(mix.base),
            str(mix.spot),
            floored(mix.ready, 2),
            floored(mix.ready_alone, 2),
            percent(mix.cost_ratio, 0),
            f"{mix.interruptions_per_day:.2g}",
        )
        for mix in found.mixes
    )
    return TextTable(_("Spot with fallback on demand; cost over all on demand"), headings, rows, 0)


def surge_sentence(found: Surge, _: Translate) -> str:
    """What surges."""
    text = _(
        "Surge: {rate:.3g} requests/s, {surge:.3g} from {begin} to {end}; the fleet holds {holds:.3g} within the "
        "promise and takes {takes:.3g}. Clients wait {timeout} for a first token."
    )
    return text.format(
        rate=found.rate_per_s,
        surge=found.surge_rate_per_s,
        begin=clock(found.begin_s),
        end=clock(found.end_s),
        holds=found.holds_per_s,
        takes=found.takes_per_s,
        timeout=si(found.timeout_s, "s"),
    )


def protection_words(_: Translate) -> dict[str, str]:
    """Sets of protections, each with all before it."""
    return {
        "none": _("none"),
        "cancel": _("stop what nobody waits for"),
        "limit": _("+ admission limit"),
        "breaker": _("+ circuit breaker, backup"),
    }


def surge_table(found: Surge, _: Translate) -> TextTable:
    """One row per set of protections."""
    headings = (
        _("Protection"),
        _("Kept"),
        _("Late"),
        _("Degraded"),
        _("Failed"),
        _("Attempts"),
        _("Wasted work"),
        _("Recovered after"),
    )
    words = protection_words(_)
    rows = tuple(
        (
            words[case.protection],
            percent(case.attained),
            percent(case.late),
            percent(case.degraded),
            percent(case.failed),
            f"{case.attempts_per_request:.2f}",
            percent(case.wasted_share),
            _("not seen") if case.recovered_s is None else si(case.recovered_s, "s"),
        )
        for case in found.cases
    )
    return TextTable(_("A surge, with and without protection"), headings, rows)


def surge_series_table(found: Surge, _: Translate) -> TextTable:
    """Share kept over time, a column for each set of protections; a dash where nobody asked."""
    words, parts = protection_words(_), range(max(len(case.attained_by_time) for case in found.cases))
    rows = tuple(
        (clock(n * found.part_s), *("–" if (kept := _at(case.attained_by_time, n)) is None else percent(kept, 0)
                                    for case in found.cases))
        for n in parts
    )  # fmt: skip
    headings = (_("From"), *(words[case.protection] for case in found.cases))
    return TextTable(_("Kept over time"), headings, rows)


def _at(values: tuple[float | None, ...], n: int) -> float | None:
    return values[n] if n < len(values) else None
