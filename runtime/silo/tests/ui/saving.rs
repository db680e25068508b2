//! A state is committed in one way, and each way is spelled in one way.

#[derive(Default, quark::Serialize, quark::Deserialize)]
struct Both;

#[quark::actor(kind = "both", durable, write_behind = "500ms")]
impl Both {}

#[derive(Default, quark::Serialize, quark::Deserialize)]
struct Long;

#[quark::actor(kind = "long", write_behind = "1h")]
impl Long {}

#[derive(Default, quark::Serialize, quark::Deserialize)]
struct Number;

#[quark::actor(kind = "number", write_behind = 500)]
impl Number {}

#[derive(Default, quark::Serialize, quark::Deserialize)]
struct Often;

#[quark::actor(kind = "often", save = often)]
impl Often {}

fn main() {}
