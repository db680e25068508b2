//! Versions of a state and their upgrades fit one another.

#[derive(Default)]
struct Few;

#[quark::actor(kind = "few", durable, version = 3, upgrades(FewV1))]
impl Few {}

#[derive(Default)]
struct Many;

#[quark::actor(kind = "many", durable, upgrades(ManyV1))]
impl Many {}

#[derive(Default)]
struct Twice;

#[quark::actor(kind = "twice", durable, version = 3, upgrades(TwiceV1, TwiceV1))]
impl Twice {}

#[derive(Default)]
struct Volatile;

#[quark::actor(kind = "volatile", version = 2, upgrades(VolatileV1))]
impl Volatile {}

#[derive(Default)]
struct Zero;

#[quark::actor(kind = "zero", durable, version = 0)]
impl Zero {}

#[derive(Default)]
struct Spelled;

#[quark::actor(kind = "spelled", durable, version = "2", upgrades = SpelledV1)]
impl Spelled {}

fn main() {}
