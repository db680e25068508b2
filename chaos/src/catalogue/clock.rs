//! What goes wrong with clocks.

use super::{Draw, Kind, Meter, Overlap, Parameter};
use crate::fault::FaultKind as K;

pub(super) const fn facts(kind: K) -> Kind {
    match kind {
        K::ClockStep => {
            Kind::of(kind, Meter::WallStepped)
                .with(
                    const {
                        &[Parameter {
                            benign: 0,
                            ..Parameter::number("by_ms", "ms", -YEAR_MS, YEAR_MS, STEP)
                        }]
                    },
                )
                .momentary()
        }
        K::ClockDrift => Kind::of(kind, Meter::SleepsMoved).with(RATE).overlap(Overlap::SetsClock),
        K::MonoDrift => Kind::of(kind, Meter::SleepsMoved).with(RATE).overlap(Overlap::SetsClock),
        // 500 is what NTP does, 100 000 what smearing daemons do at worst.
        K::ClockSlew => Kind::of(kind, Meter::WallSlewed)
            .with(
                const {
                    &[Parameter {
                        benign: 0,
                        ..Parameter::number("ppm", "ppm", -500_000, 500_000, Draw::Signed(500, 100_000))
                    }]
                },
            )
            .overlap(Overlap::SetsClock),
        K::ClockFreeze => Kind::of(kind, Meter::FrozenReadings)
            .overlap(Overlap::SetsClock)
            .waives(&["P2", "P4", "P12", "P14", "P17"]),
        K::ClockLeap => {
            Kind::of(kind, Meter::WallStepped)
                .with(
                    const {
                        &[Parameter { benign: 0, ..Parameter::number("days", "days", -36_500, 36_500, LEAP) }]
                    },
                )
                .overlap(Overlap::SetsClock)
        }
        _ => panic!("no kind of this family"),
    }
}

const YEAR_MS: i64 = 366 * 24 * 3_600_000;
const STEP: Draw = Draw::Signed(1, 4 * 3_600_000);

/// Rates may differ by 10 % at most between two clocks (promise P2): less than 5 % either way keeps that.
const RATE: &[Parameter] =
    &[Parameter { benign: 0, ..Parameter::number("ppm", "ppm", -47_000, 47_000, Draw::Signed(10, 40_000)) }];

/// From the first day of a world, 2026-01-01: into daylight saving time, out of it, to the ends of a year, the leap days
/// of 2024 and 2028, the second in 2038 at which 32 bits of seconds end, and to the last years of two digits.
const LEAP: Draw = Draw::OneOf(&[-1, -307, -672, 87, 297, 365, 789, 4401, 27_028, 36_500]);
