//! What goes wrong between nodes.

use super::{Draw, Kind, MILLI, Meter, Parameter, SECOND};
use crate::fault::FaultKind as K;

pub(super) const fn facts(kind: K) -> Kind {
    match kind {
        // One way is the less of a cut.
        K::Cut => {
            Kind::of(kind, Meter::Cut).with(
                const {
                    &[Parameter { benign: 1, ..Parameter::number("one_way", "flag", 0, 1, Draw::Even(0, 1)) }]
                },
            )
        }
        K::Partition | K::Isolate => Kind::of(kind, Meter::Cut),
        K::Flap => Kind::of(kind, Meter::Cut)
            .with(const { &[Parameter::every("period", Draw::Magnitude(200 * MILLI, 4 * SECOND))] }),
        K::Loss => Kind::of(kind, Meter::Lost)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 500_000))] }),
        K::Duplicate => Kind::of(kind, Meter::Duplicated)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 500_000))] })
            .waives(&["P4", "P6"]),
        K::Reorder => Kind::of(kind, Meter::Reordered)
            .with(
                const {
                    &[
                        Parameter::ppm("ppm", Draw::Magnitude(1000, 500_000)),
                        Parameter::span("by", Draw::Magnitude(100, 200 * MILLI)),
                    ]
                },
            )
            .waives(&["P6"]),
        K::Corrupt => Kind::of(kind, Meter::Corrupted)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 200_000))] }),
        K::Latency => Kind::of(kind, Meter::Delayed).with(
            const {
                &[
                    Parameter::span("min", Draw::Magnitude(500, 300 * MILLI)),
                    Parameter::span("max", Draw::Magnitude(MILLI, 2 * SECOND)),
                    Parameter::number("shape", "place", 0, 4, Draw::Even(0, 4)),
                ]
            },
        ),
        K::Bandwidth => Kind::of(kind, Meter::Slowed).with(
            const {
                &[Parameter {
                    benign: i64::MAX >> 32,
                    ..Parameter::number(
                        "bytes_per_second",
                        "B/s",
                        1,
                        u32::MAX as i64,
                        Draw::Magnitude(1000, 1_000_000),
                    )
                }]
            },
        ),
        K::Clog => Kind::of(kind, Meter::Clogged),
        K::HalfOpen => Kind::of(kind, Meter::Vanished).momentary(),
        K::RstStorm => Kind::of(kind, Meter::Reset)
            .with(const { &[Parameter::every("every", Draw::Magnitude(100 * MILLI, 3 * SECOND))] }),
        K::DialBlackhole => Kind::of(kind, Meter::DialsLost),
        K::DialRefuse => Kind::of(kind, Meter::DialsRefused),
        K::SlowAccept => Kind::of(kind, Meter::DialsSlow)
            .with(const { &[Parameter::span("by", Draw::Magnitude(10 * MILLI, 3 * SECOND))] }),
        K::StaleNames => Kind::of(kind, Meter::DialsAstray),
        _ => panic!("no kind of this family"),
    }
}
