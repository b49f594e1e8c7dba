//! Guards whose bytes outlive them hold nothing: the drop glue of the coroutines tells, or that of their tasks, in each way
//! that programs are built.

use weft_tasks::{Hold, Polled};

use crate::waits::{PROFILES, Zoo};

/// Tasks that gave away what they held, and who waits for it; nobody can see who has it.
const GONE: [&str; 7] =
    ["gone_dropped", "gone_owned", "gone_nested", "gone_boxed", "gone_joined", "gone_captured", "gone_field"];

/// Where what is held is held: task, function, marker.
const HELD: [(&str, &str, &str); 4] = [
    ("held", "held", "held"),
    ("held_inwards", "keeps", "keeps"),
    ("held_struct", "held_struct", "held_struct"),
    ("has_it", "has_it", "has_it"),
];

/// Who a task waits for.
fn holders(zoo: &Zoo, waiter: &str) -> Vec<String> {
    zoo.wait(&format!("drops::{waiter}")).holders.iter().map(|key| zoo.name(*key)).collect()
}

#[test]
fn what_was_given_away_is_not_held() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &["drops"]);
        for gone in GONE {
            zoo.check_holds(&format!("drops::{gone}"), &[]);
            assert_eq!(holders(&zoo, &format!("for_{gone}")), [""; 0], "{profile:?} {gone}");
        }
        for other in ["gone_handed", "gone_read", "gone_write", "gone_permit", "gone_sender"] {
            zoo.check_holds(&format!("drops::{other}"), &[]);
        }
    }
}

#[test]
fn what_is_alive_is_held_once() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &["drops"]);
        for (task, function, marker) in HELD {
            let expected = [(Hold::Lock, "Mutex<Db>", function, marker, Polled::Active)];
            zoo.check_holds(&format!("drops::{task}"), &expected);
        }
        for (task, how, resource) in [
            ("held_read", Hold::Read, "RwLock<u32>"),
            ("held_permit", Hold::Permits(1), "Semaphore"),
            ("held_sender", Hold::Sender, "mpsc::channel<u8>"),
        ] {
            zoo.check_holds(&format!("drops::{task}"), &[(how, resource, task, task, Polled::Active)]);
        }
        for (waiter, holder) in [
            ("for_held", "held"),
            ("for_held_inwards", "held_inwards"),
            ("for_held_struct", "held_struct"),
            ("for_handed", "has_it"),
            ("for_read", "held_read"),
            ("for_permit", "held_permit"),
            ("for_sender", "held_sender"),
        ] {
            assert_eq!(holders(&zoo, waiter), [format!("drops::{holder}")], "{profile:?} {waiter}");
        }
    }
}

/// Two tasks of one function in one state, which differ in a drop flag.
#[test]
fn a_drop_flag_tells() {
    for profile in PROFILES {
        let zoo = Zoo::new(profile, &["drops"]);
        let flagged = zoo.all("drops::flagged");
        let [one, other] = flagged.as_slice() else { panic!("{profile:?}: {} tasks", flagged.len()) };
        let (holder, other) = if one.holds.is_empty() { (other, one) } else { (one, other) };
        assert_eq!((holder.holds.len(), other.holds.len()), (1, 0), "{profile:?}");
        assert_eq!(zoo.wait("drops::for_flagged").holders, [holder.key], "{profile:?}");
        assert_eq!(zoo.wait("drops::for_cleared").holders, [], "{profile:?}");
    }
}
