//! The wire contract that `#[quark::actor]` computes: numbers and digests that never change by accident.

use quark::Actor;
use quark::actor::{Access, Contract, method_id};

/// One actor a module, so that each can be called `Cart`.
macro_rules! cart {
    ($name:ident { $($body:tt)* }) => {
        mod $name {
            #[derive(Default)]
            pub struct Cart;

            #[quark::actor(kind = "cart")]
            impl Cart {
                $($body)*
            }
        }
    };
}

cart!(original {
    fn add(&mut self, _item: String, _count: u32) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(reordered_and_respaced {
    async fn total(&self) -> u64 { 0 }
    /// Documented.
    async fn add(&mut self, _ctx: &quark::ActorContext, _item : String, _count : u32,) -> Result < u32 , String , > { Ok(1) }
    #[allow(dead_code, reason = "only its contract is looked at")]
    fn helper() {}
});
cart!(renamed_under_its_old_name {
    #[quark(name = "add")]
    fn put(&mut self, _item: String, _count: u32) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(argument_type {
    fn add(&mut self, _item: String, _count: u64) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(argument_name {
    fn add(&mut self, _item: String, _number: u32) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(argument_order {
    fn add(&mut self, _count: u32, _item: String) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(result_type {
    fn add(&mut self, _item: String, _count: u32) -> Result<u64, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(error_type {
    fn add(&mut self, _item: String, _count: u32) -> Result<u32, u8> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(access {
    fn add(&mut self, _item: String, _count: u32) -> Result<u32, String> { Ok(1) }
    fn total(&mut self) -> u64 { 0 }
});
cart!(method_name {
    fn put(&mut self, _item: String, _count: u32) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
});
cart!(one_method_more {
    fn add(&mut self, _item: String, _count: u32) -> Result<u32, String> { Ok(1) }
    fn total(&self) -> u64 { 0 }
    fn clear(&mut self) {}
});

fn contract<A: Actor>() -> &'static Contract {
    A::contract()
}

#[test]
fn what_does_not_travel_does_not_change_the_digest() {
    let digest = contract::<original::Cart>().digest;
    assert_eq!(contract::<reordered_and_respaced::Cart>().digest, digest);
    assert_eq!(contract::<renamed_under_its_old_name::Cart>().digest, digest);
}

#[test]
fn whatever_travels_changes_the_digest() {
    let digests = [
        contract::<original::Cart>().digest,
        contract::<argument_type::Cart>().digest,
        contract::<argument_name::Cart>().digest,
        contract::<argument_order::Cart>().digest,
        contract::<result_type::Cart>().digest,
        contract::<error_type::Cart>().digest,
        contract::<access::Cart>().digest,
        contract::<method_name::Cart>().digest,
        contract::<one_method_more::Cart>().digest,
    ];
    for (at, left) in digests.iter().enumerate() {
        for right in &digests[at + 1..] {
            assert_ne!(left, right, "two of the contracts look alike: {digests:x?}");
        }
    }
}

/// Numbers that are on the wire and in stores of running clusters. A change here is a break of compatibility.
#[test]
fn golden_wire_numbers() {
    assert_eq!(method_id("deposit").0, 0x8C62_AC7D);
    assert_eq!(method_id("withdraw").0, 0x4134_2442);
    assert_eq!(method_id("balance").0, 0xBB9A_0DAB);
    assert_eq!(contract::<original::Cart>().digest, 0x74BE_9E0E_E29F_A5EE);
}

#[test]
fn the_table_is_sorted_and_found_by_number_and_name() {
    let contract = contract::<original::Cart>();
    assert_eq!(contract.kind, "cart");
    assert!(contract.methods.is_sorted_by_key(|method| method.id));
    for method in contract.methods {
        assert_eq!(method.id, method_id(method.name));
        assert_eq!(contract.method(method.id).expect("by number").name, method.name);
        assert_eq!(contract.method_named(method.name).expect("by name").id, method.id);
    }
    let add = contract.method_named("add").expect("there");
    assert_eq!(add.arguments, [("_item", "String"), ("_count", "u32")]);
    assert_eq!(add.access, Access::Exclusive);
    assert_eq!(contract.method_named("total").expect("there").access, Access::Shared);
}

/// Silos of two schema versions share a cluster while the newer one is rolled out.
#[test]
fn the_schema_of_the_state_is_no_part_of_the_contract() {
    mod first {
        #[derive(Default, quark::Serialize, quark::Deserialize)]
        pub struct Cart;

        #[quark::actor(kind = "cart", durable)]
        impl Cart {}
    }
    mod second {
        #[derive(quark::Deserialize)]
        pub struct CartV1;

        #[derive(Default, quark::Serialize, quark::Deserialize)]
        pub struct Cart;

        impl From<CartV1> for Cart {
            fn from(_: CartV1) -> Self {
                Cart
            }
        }

        #[quark::actor(kind = "cart", durable, version = 2, upgrades(CartV1))]
        impl Cart {}
    }
    assert_eq!((first::Cart::STATE_VERSION, second::Cart::STATE_VERSION), (1, 2));
    assert_eq!(contract::<first::Cart>().digest, contract::<second::Cart>().digest);
}
