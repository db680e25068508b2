//! What goes wrong with processes.

use super::{Draw, Kind, MILLI, Meter, Overlap, Parameter, SECOND};
use crate::fault::FaultKind as K;

pub(super) const fn facts(kind: K) -> Kind {
    match kind {
        K::Crash | K::Exit => Kind::of(kind, Meter::TasksKilled).overlap(Overlap::Stops),
        K::Restart => Kind::of(kind, Meter::TasksKilled)
            .with(const { &[Parameter::number("wipe", "flag", 0, 1, Draw::Even(0, 1))] })
            .overlap(Overlap::Stops)
            .momentary(),
        K::GracefulStop => Kind::of(kind, Meter::SilosStopped).overlap(Overlap::Stops),
        K::CrashLoop => Kind::of(kind, Meter::TasksKilled)
            .with(const { &[Parameter::every("every", Draw::Magnitude(200 * MILLI, 4 * SECOND))] })
            .overlap(Overlap::Stops),
        K::Pause => Kind::of(kind, Meter::Standstill).overlap(Overlap::Stops),
        K::GcStalls => Kind::of(kind, Meter::Standstill)
            .with(
                const {
                    &[
                        Parameter::every("every", Draw::Magnitude(300 * MILLI, 3 * SECOND)),
                        Parameter::span("stall", Draw::Magnitude(20 * MILLI, SECOND)),
                    ]
                },
            )
            .overlap(Overlap::Stops),
        K::SlowCpu => Kind::of(kind, Meter::SlowPolls).with(
            const {
                &[Parameter::number(
                    "slowness_milli",
                    "thousandths",
                    1000,
                    1_000_000,
                    Draw::Magnitude(2000, 100_000),
                )]
            },
        ),
        _ => panic!("no kind of this family"),
    }
}
