//! Lists and what follows from them.

use super::*;

#[tokio::test]
async fn a_list_goes_ahead_of_what_follows_from_it() {
    let mut town = Town::of(3).await;
    town.crash(2);
    let list = town.list(&[]);
    let number = list.version.number;
    // The first agent alone hears that the third is gone, and asks the second what it has of it.
    town[0].engine.take_membership_from_source(list);
    let began = Instant::now();
    wait("the second has the list", || town[1].engine.membership_number() == number).await;
    assert!(began.elapsed() < link::HEARTBEAT, "it comes with the first word, not with a heartbeat");
    assert!(town[1].engine.links().get(id(1)).is_some(), "no message of it was a stranger's");
}
