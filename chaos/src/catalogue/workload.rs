//! What a cluster is asked to do that is asking much.

use super::{Draw, Kind, MILLI, Meter, Needs, Overlap, Parameter, SECOND};
use crate::fault::FaultKind as K;

pub(super) const fn facts(kind: K) -> Kind {
    match kind {
        K::JoinStorm => Kind::of(kind, Meter::Joined)
            .with(const { &[Parameter::number("silos", "silos", 1, 100, Draw::Even(1, 4))] })
            .overlap(Overlap::Once),
        K::HotActor => imps(kind, Meter::HotCalls, const { &[rate(Draw::Magnitude(20, 500))] }),
        K::DeactivationStorm => Kind::of(kind, Meter::Deactivated)
            .with(const { &[Parameter::every("every", Draw::Magnitude(200 * MILLI, 4 * SECOND))] }),
        K::HugeMessage => imps(
            kind,
            Meter::HugeCalls,
            const { &[Parameter::number("bytes", "B", 1, 64 << 20, Draw::Magnitude(64 << 10, 8 << 20))] },
        ),
        K::SlowActor => imps(
            kind,
            Meter::SlowTurns,
            const { &[Parameter::span("takes", Draw::Magnitude(10 * MILLI, 4 * SECOND))] },
        ),
        K::CancelledCallers => imps(kind, Meter::Withdrawn, const { &[rate(Draw::Magnitude(5, 100))] }),
        K::DeadlineZero => imps(kind, Meter::Late, const { &[rate(Draw::Magnitude(5, 100))] }),
        K::CallCycle => imps(
            kind,
            Meter::Cycles,
            const { &[Parameter::number("length", "actors", 1, 64, Draw::Even(1, 5))] },
        ),
        K::TimerStorm => imps(
            kind,
            Meter::Ticks,
            const {
                &[
                    Parameter::number("timers", "timers", 1, 10_000, Draw::Magnitude(10, 200)),
                    Parameter::every("every", Draw::Magnitude(100 * MILLI, 2 * SECOND)),
                ]
            },
        ),
        K::Burst => imps(
            kind,
            Meter::Bursts,
            const { &[Parameter::number("calls", "calls", 1, 100_000, Draw::Magnitude(20, 500))] },
        ),
        _ => panic!("no kind of this family"),
    }
}

const fn imps(kind: K, meter: Meter, parameters: &'static [Parameter]) -> Kind {
    Kind::of(kind, meter).with(parameters).needs(Needs::Imps)
}

const fn rate(draw: Draw) -> Parameter {
    Parameter::number("rate", "1/s", 1, 1000, draw)
}
