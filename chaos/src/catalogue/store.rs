//! What goes wrong with the store.

use super::{Draw, Kind, Meter, Needs, Overlap, Parameter};
use crate::fault::FaultKind as K;

pub(super) const fn facts(kind: K) -> Kind {
    match kind {
        K::StoreOutage | K::StoreCut => Kind::of(kind, Meter::StoreDark),
        K::StoreFailover => {
            Kind::of(kind, Meter::CommitsLost).momentary().needs(Needs::Replica).waives(&["P3", "P5", "P14"])
        }
        K::StoreStale => Kind::of(kind, Meter::StaleReads).needs(Needs::Replica).waives(&["P3", "P12"]),
        K::StoreIndeterminate => Kind::of(kind, Meter::OutcomesHidden)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 500_000)), APPLIED] }),
        K::StoreSlow => Kind::of(kind, Meter::StoreSlow).with(
            const {
                &[
                    Parameter::ppm("spike_ppm", Draw::Magnitude(1000, 300_000)),
                    Parameter::number(
                        "slowness_milli",
                        "thousandths",
                        1000,
                        1_000_000,
                        Draw::Magnitude(1000, 50_000),
                    ),
                ]
            },
        ),
        K::StoreFull => Kind::of(kind, Meter::NoRoom).overlap(Overlap::Once),
        K::StoreTimeout => Kind::of(kind, Meter::StoreDropped)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 300_000)), APPLIED] }),
        K::StoreErrors => Kind::of(kind, Meter::StoreRefused)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(1000, 500_000))] }),
        K::StoreEviction => Kind::of(kind, Meter::Evicted)
            .with(const { &[Parameter::ppm("ppm", Draw::Magnitude(10_000, 1_000_000))] })
            .momentary()
            .waives(&["P1", "P2", "P3", "P5", "P12", "P13", "P14", "P17"]),
        _ => panic!("no kind of this family"),
    }
}

const APPLIED: Parameter = Parameter::ppm("applied_ppm", Draw::Even(0, 1_000_000));
