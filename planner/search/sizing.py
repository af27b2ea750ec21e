"""What a simulated plan shows at the asked load: the sizing that its answer carries."""

from __future__ import annotations

from planner.models.simulate import Result
from planner.schema import RouterName, Sizing, Traffic
from planner.schema.results import Basis
from planner.search import observed
from planner.search.demand import Demand


def sizing_of(
    run: Result,
    demand: Demand,
    traffic: Traffic,
    router: RouterName,
    replicas: int,
    screened: int,
    headroom: float,
    held: tuple[float, str],
    basis: Basis,
) -> Sizing:
    """Percentiles of a run at the asked load, their spread over parts of its time, and how much more is held.

    Parameters
    ----------
    replicas, screened : replicas of the run, and those that closed forms had said [-]
    held : load that keeps the promise over the asked one, and the metric that breaks next [-]
    """
    margin, limit = held
    ttft, e2e = observed.percentiles(run.ttft_s), observed.percentiles(run.e2e_s)
    assert ttft is not None and e2e is not None
    return Sizing(
        trace=demand.name,
        arrivals="users" if demand.users else traffic.arrivals or ("mmpp" if traffic.profile else "trace"),
        lengths=traffic.lengths or ("recorded" if traffic.trace else "scaled"),
        router=router,
        requests=len(run.start_s),
        replicas=replicas,
        replicas_screened=screened,
        headroom=headroom,
        ttft_s=ttft,
        tpot_s=observed.percentiles(run.tpot_s),
        e2e_s=e2e,
        spread=observed.spread_over_blocks(run, float(run.start_s.max())),
        margin=margin,
        limit=limit,
        left_out=demand.left_out,
        basis=basis,
    )
