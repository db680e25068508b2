use super::*;
use State::{Activating, Active, Claiming, Created, Draining, Gone, Registering};

/// Every legal transition; every other pair is illegal.
const TABLE: &[(State, Event, State)] = &[
    (Created, Event::Register, Registering),
    (Created, Event::Registered, Claiming),
    (Registering, Event::Registered, Claiming),
    (Claiming, Event::Claimed, Activating),
    (Activating, Event::Activated, Active),
    (Active, Event::Drain(Reason::Idle), Draining(Reason::Idle)),
    (Active, Event::Drain(Reason::Migrates), Draining(Reason::Migrates)),
    (Draining(Reason::Migrates), Event::Resumed, Active),
    (Draining(Reason::Migrates), Event::Ended, Gone(Reason::Migrates)),
    (Draining(Reason::Idle), Event::Ended, Gone(Reason::Idle)),
    (Created, Event::Ended, Gone(Reason::Cut)),
    (Registering, Event::Ended, Gone(Reason::Cut)),
    (Claiming, Event::Ended, Gone(Reason::Cut)),
    (Activating, Event::Ended, Gone(Reason::Cut)),
    (Active, Event::Ended, Gone(Reason::Cut)),
];

const STATES: [State; 9] = [
    Created,
    Registering,
    Claiming,
    Activating,
    Active,
    Draining(Reason::Idle),
    Draining(Reason::Migrates),
    Gone(Reason::Cut),
    Gone(Reason::Migrates),
];

const EVENTS: [Event; 8] = [
    Event::Register,
    Event::Registered,
    Event::Claimed,
    Event::Activated,
    Event::Drain(Reason::Idle),
    Event::Drain(Reason::Migrates),
    Event::Resumed,
    Event::Ended,
];

#[test]
fn the_table_is_the_whole_function() {
    let mut legal = 0;
    for state in STATES {
        for event in EVENTS {
            let row = TABLE.iter().find(|(from, happened, _)| (*from, *happened) == (state, event));
            match row {
                Some((_, _, to)) => {
                    legal += 1;
                    assert_eq!(state.step(event), Ok(*to), "{state:?} {event:?}");
                }
                None => assert_eq!(state.step(event), Err(IllegalTransition { state, event })),
            }
        }
    }
    assert_eq!(legal, TABLE.len(), "every row was looked at");
}

#[test]
fn gone_is_for_ever_and_every_state_leads_there() {
    for state in STATES {
        assert_eq!(state.step(Event::Ended).is_ok(), !state.is_gone());
        assert!(!(state.is_starting() && state.takes_turns()));
    }
}

#[test]
fn an_illegal_step_says_what_and_where() {
    let error = Created.step(Event::Activated).expect_err("nothing is claimed");
    assert_eq!(error.to_string(), "Activated cannot happen to an activation that is created");
    assert_eq!(Gone(Reason::SiloLeaves).to_string(), "gone (its silo leaves)");
}
