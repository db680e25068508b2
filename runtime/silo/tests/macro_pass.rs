//! Where and how `#[quark::actor]` may be written without a warning.
#![deny(warnings)]

use quark::Actor;

/// Inside a function, next to the type.
#[test]
fn an_actor_may_live_in_a_function() {
    #[derive(Default)]
    struct Local;

    #[quark::actor(kind = "local", placement = prefer_local)]
    impl Local {
        fn get(&self) -> u8 {
            7
        }
    }
    assert_eq!(Local::contract().methods.len(), 1);
    assert_eq!(Local::KIND, "local");
}

/// Written by a macro, whose fragments carry invisible groups.
macro_rules! register {
    ($name:ident, $kind:literal, $value:ty, $argument:ident) => {
        #[derive(Default, quark::Serialize, quark::Deserialize)]
        struct $name($value);

        #[quark::actor(kind = $kind, durable)]
        impl $name {
            async fn set(&mut self, $argument: $value) -> Result<$value, String> {
                self.0 = $argument;
                Ok(self.0.clone())
            }
        }
    };
}

register!(Text, "text", String, value);
register!(Pair, "pair", (u8, Vec<u8>), args);

#[test]
fn an_actor_may_be_written_by_a_macro() {
    assert_eq!(Text::contract().methods[0].arguments, [("value", "String")]);
    assert_eq!(Pair::contract().methods[0].arguments, [("args", "(u8, Vec<u8>)")]);
}

mod elsewhere {
    /// A type of another module.
    #[derive(Default)]
    pub struct Account {
        pub balance: u64,
    }
}

#[quark::actor(kind = "elsewhere.account")]
impl elsewhere::Account {
    fn balance(&self) -> u64 {
        self.balance
    }
}

/// No methods at all.
#[derive(Default)]
struct Empty;

#[quark::actor(kind = "empty")]
impl Empty {}

/// Names that the written code uses too.
mod shadowing {
    use quark::ActorContext;

    #[derive(Default)]
    pub struct Option;

    #[derive(Default)]
    enum Result {
        #[default]
        Fine,
    }

    #[quark::actor(kind = "option")]
    impl Option {
        #[quark(on_activate)]
        fn start(&mut self) {}

        #[quark(on_deactivate)]
        async fn end(&mut self, ctx: &ActorContext) {
            let _ = (ctx.id(), Result::Fine);
        }

        fn contract(&self) {}
        fn create(&self) {}
        fn call_mut(&mut self) {}
        fn reference(&self) {}
        fn on_activate(&mut self) {}
    }
}

#[test]
fn names_of_the_author_do_not_meet_names_of_the_macro() {
    assert_eq!(Empty::contract().methods.len(), 0);
    assert_eq!(<shadowing::Option as Actor>::contract().methods.len(), 5);
    assert_eq!(elsewhere::Account::contract().kind, "elsewhere.account");
}

#[derive(Default)]
struct Old;

#[quark::actor(kind = "old")]
impl Old {
    #[deprecated = "call `new_way`"]
    fn old_way(&self) {}

    #[allow(clippy::needless_pass_by_value, reason = "the attribute has to survive the macro")]
    fn new_way(&self, text: String) -> usize {
        text.len()
    }
}

#[test]
fn a_deprecated_method_is_still_served() {
    assert!(Old::contract().method_named("old_way").is_some());
}

/// Slots in a struct that a macro wrote, under names that the written code uses too.
macro_rules! stored {
    ($name:ident, $kind:literal, $large:ident: $value:ty) => {
        #[quark::state]
        #[derive(Default, quark::Serialize, quark::Deserialize)]
        struct $name {
            small: u8,
            $large: quark::Slot<$value>,
            r#type: quark::Slot<Vec<$name>>,
        }

        #[quark::actor(kind = $kind, durable)]
        impl $name {
            fn set(&mut self, value: $value) {
                self.$large = value.into();
                self.small += 1;
            }
        }
    };
}

stored!(Shelf, "shelf", state: String);
stored!(Pile, "pile", bytes: (u8, Vec<u8>));

/// Without slots the attribute changes nothing.
#[quark::state]
#[derive(Default, quark::Serialize, quark::Deserialize)]
struct Plain(u8);

#[quark::actor(kind = "plain", write_behind = "1s")]
impl Plain {
    fn get(&self) -> u8 {
        self.0
    }
}

#[test]
fn slots_are_found_by_the_actor_whoever_wrote_the_struct() {
    fn names<A: Actor>() -> Vec<&'static str> {
        A::SLOTS.iter().map(|slot| slot.name).collect()
    }
    assert_eq!(names::<Shelf>(), ["state", "type"]);
    assert_eq!(names::<Pile>(), ["bytes", "type"]);
    assert_eq!(names::<Text>(), [""; 0]);
    assert_eq!(names::<Plain>(), [""; 0]);
    assert_eq!(names::<Old>(), [""; 0]);
    let mut shelf = Shelf::default();
    (Shelf::SLOTS[0].load)(&mut shelf, 1, b"\x04Emma").expect("a text");
    assert_eq!((shelf.state.as_str(), shelf.small), ("Emma", 0));
    assert_eq!((Shelf::SLOTS[0].to_json)(&shelf), Ok("Emma".into()));
    assert_ne!((Shelf::SLOTS[0].stamp)(&shelf), (Shelf::SLOTS[1].stamp)(&shelf));
    (Shelf::SLOTS[0].load)(&mut shelf, 2, b"\x04Emma").expect_err("it never had that version");
}
