//! Friends and groups on a real database: what two players may do to each other in any order,
//! and what many do at once.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::groups::GroupForm;
use super::*;
use crate::config::NotificationsConfig;
use crate::db::scratch::{Scratch, add_players, erase_player};
use crate::edge::params::Limit;

struct Setup {
    social: Social,
    db: Db,
    _scratch: Scratch,
}

async fn setup() -> Setup {
    let scratch = Scratch::new().await;
    let db = scratch.open().await;
    let bus = Bus::default();
    let told = Notifications::new(&NotificationsConfig::default(), db.clone(), bus.clone());
    Setup {
        social: Social::new(&SocialConfig::default(), db.clone(), bus, told),
        db,
        _scratch: scratch,
    }
}

impl Setup {
    async fn friends(&self, player: &PlayerId) -> Vec<Value> {
        let filter = friends::Filter::default();
        let rows = self.social.friends(player, &filter).await.unwrap();
        rows.iter()
            .map(|row| serde_json::to_value(row).unwrap())
            .collect()
    }

    async fn told(&self, player: &PlayerId) -> Vec<Value> {
        let filter = notifications_filter();
        let rows = self
            .social
            .notifications
            .list(player, &filter)
            .await
            .unwrap();
        rows.iter()
            .map(|row| serde_json::to_value(row).unwrap())
            .collect()
    }

    async fn group(&self, owner: &PlayerId, form: Value) -> String {
        let form: GroupForm = serde_json::from_value(form).unwrap();
        let group = self.social.create_group(owner, form).await.unwrap();
        let group = serde_json::to_value(group).unwrap();
        group["id"].as_str().unwrap().to_owned()
    }

    async fn roles(&self, group: &str) -> Vec<(String, String)> {
        let members = self.social.group_members(group).await.unwrap();
        let members = members
            .iter()
            .map(|member| serde_json::to_value(member).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        members
            .map(|row| (text(&row["player_id"]), text(&row["role"])))
            .collect()
    }
}

fn notifications_filter() -> crate::notifications::Filter {
    crate::notifications::Filter {
        limit: Limit(200),
        ..Default::default()
    }
}

/// What stands between two players, 0 and 1.
#[derive(Clone, Debug, Default, PartialEq)]
struct Between {
    blocks: [bool; 2],
    relation: Option<Relation>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Relation {
    AskedBy(usize),
    Friends,
}

const DEEDS: [&str; 5] = ["ask", "accepted", "rejected", "blocked", "delete"];

impl Between {
    /// What a deed of player `me` makes of it, or why it is refused.
    fn after(&self, me: usize, deed: &str) -> Result<Self, Code> {
        use Relation::{AskedBy, Friends};
        let other = 1 - me;
        let mut next = self.clone();
        let refusal = match self.relation.is_some() || self.blocks[me] {
            true => Code::Forbidden,
            false => Code::FriendshipNotFound,
        };
        match (deed, self.relation) {
            ("ask", _) if self.blocks[me] => {}
            ("ask", _) if self.blocks[other] => return Err(Code::SocialBlocked),
            ("ask", None) => next.relation = Some(AskedBy(me)),
            ("ask" | "accepted", Some(AskedBy(who))) if who == other => {
                next.relation = Some(Friends);
            }
            ("ask", _) | ("accepted", Some(Friends)) => {}
            ("rejected", Some(AskedBy(who))) if who == other => next.relation = None,
            ("accepted" | "rejected", _) => return Err(refusal),
            ("blocked", _) => {
                next.blocks[me] = true;
                next.relation = None;
            }
            ("delete", Some(AskedBy(who))) if who == other => return Err(refusal),
            ("delete", _) if self.blocks[me] => next.blocks[me] = false,
            ("delete", Some(_)) => next.relation = None,
            ("delete", None) => return Err(refusal),
            _ => unreachable!(),
        }
        Ok(next)
    }

    /// What player `me` sees: status and direction.
    fn seen_by(&self, me: usize) -> Vec<(String, Option<String>)> {
        let row = |status: &str, direction: Option<&str>| {
            vec![(status.to_owned(), direction.map(str::to_owned))]
        };
        match self.relation {
            _ if self.blocks[me] => row("blocked", None),
            None => Vec::new(),
            Some(Relation::Friends) => row("accepted", None),
            Some(Relation::AskedBy(who)) if who == me => row("pending", Some("outgoing")),
            Some(Relation::AskedBy(_)) => row("pending", Some("incoming")),
        }
    }
}

async fn carry_out(social: &Social, deed: &str, me: &PlayerId, other: &PlayerId) -> Outcome<()> {
    match deed {
        "ask" => social.ask(me, other.as_str()).await.map(drop),
        "delete" => social.unfriend(me, other.as_str()).await,
        status => social.answer(me, other.as_str(), status).await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_two_players_do_to_each_other_both_see_what_is() {
    let setup = setup().await;
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..12 {
        let players = add_players(&setup.db, 2).await;
        let mut between = Between::default();
        let mut history = Vec::new();
        for _ in 0..25 {
            let me = random.random_range(0..2);
            let deed = DEEDS[random.random_range(0..DEEDS.len())];
            history.push((me, deed));
            let done = carry_out(&setup.social, deed, &players[me], &players[1 - me]).await;
            match (between.after(me, deed), done) {
                (Ok(next), Ok(())) => between = next,
                (Err(code), Err(error)) => assert_eq!(error.code, code, "{history:?}"),
                (expected, done) => panic!("{expected:?}, but {done:?}: {history:?}"),
            }
            for me in 0..2 {
                let rows = setup.friends(&players[me]).await;
                let seen: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        assert_eq!(row["player_id"], players[me].as_str());
                        assert_eq!(row["friend"]["id"], players[1 - me].as_str());
                        let text = |key: &str| row[key].as_str().map(str::to_owned);
                        (text("status").unwrap(), text("direction"))
                    })
                    .collect();
                assert_eq!(seen, between.seen_by(me), "{history:?}");
            }
            let blocked = [(0, 1), (1, 0)].map(|(by, of)| (&players[by], &players[of]));
            for (me, (by, other)) in blocked.into_iter().enumerate() {
                let is = setup.social.is_blocked(by, other).await.unwrap();
                assert_eq!(is, between.blocks[me], "{history:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cross_make_one_friendship() {
    let setup = Arc::new(setup().await);
    for _ in 0..20 {
        let players = add_players(&setup.db, 2).await;
        let asks = [(0, 1), (1, 0), (0, 1), (1, 0)].map(|(from, to)| {
            let setup = Arc::clone(&setup);
            let (from, to) = (players[from].clone(), players[to].clone());
            tokio::spawn(async move { setup.social.ask(&from, to.as_str()).await })
        });
        for ask in asks {
            ask.await.unwrap().unwrap();
        }
        let mut told = Vec::new();
        for player in &players {
            let rows = setup.friends(player).await;
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0]["status"], "accepted");
            told.extend(setup.told(player).await);
        }
        let mut kinds: Vec<_> = told
            .iter()
            .map(|row| row["type"].as_str().unwrap())
            .collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["friend_accepted", "friend_request"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_deeds_at_once_leave_something_that_can_be() {
    let setup = Arc::new(setup().await);
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..10 {
        let players = add_players(&setup.db, 3).await;
        let deeds: Vec<_> = (0..24)
            .map(|_| {
                let setup = Arc::clone(&setup);
                let me = random.random_range(0..3);
                let other = (me + random.random_range(1..3)) % 3;
                let deed = DEEDS[random.random_range(0..DEEDS.len())];
                let (me, other) = (players[me].clone(), players[other].clone());
                tokio::spawn(async move { carry_out(&setup.social, deed, &me, &other).await })
            })
            .collect();
        for deed in deeds {
            if let Err(error) = deed.await.unwrap() {
                assert_ne!(error.code, Code::Internal);
            }
        }
        let tx = setup.db.write().await.unwrap();
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let (a, b) = (players[a].as_str(), players[b].as_str());
            let rows = store::between(&tx, a, b).await.unwrap();
            let blocks = rows.iter().filter(|row| row.status == "blocked").count();
            let others = rows.len() - blocks;
            assert!(others == 0 || (others == 1 && blocks == 0), "{rows:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_has_and_gets_nothing() {
    let setup = setup().await;
    let players = add_players(&setup.db, 3).await;
    let [a, b, gone] = &players[..] else { panic!() };
    let group = setup.group(a, json!({"name": "Crew", "open": true})).await;
    for other in [a, b] {
        setup.social.ask(other, gone.as_str()).await.unwrap();
    }
    setup.social.ask(gone, a.as_str()).await.unwrap();
    erase_player(&setup.db, gone).await;

    assert!(setup.friends(a).await.is_empty());
    let social = &setup.social;
    let code = |error: asobi_wire::ApiError| error.code;
    let ask = social.ask(a, gone.as_str()).await.unwrap_err();
    assert_eq!(code(ask), Code::FriendNotFound);
    let ask = social.ask(gone, a.as_str()).await.unwrap_err();
    assert_eq!(code(ask), Code::Unauthenticated);
    let invite = social.invite(a, &group, gone.as_str()).await.unwrap_err();
    assert_eq!(code(invite), Code::PlayerNotFound);
    let join = social.join_group(gone, &group).await.unwrap_err();
    assert_eq!(code(join), Code::Unauthenticated);
    let form = serde_json::from_value(json!({"name": "Mine"})).unwrap();
    let create = social.create_group(gone, form).await.unwrap_err();
    assert_eq!(code(create), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_owner_hands_the_groups_over_and_takes_empty_ones_along() {
    let setup = setup().await;
    let players = add_players(&setup.db, 4).await;
    let [owner, first, second, moderator] = &players[..] else {
        panic!()
    };
    let form = || json!({"name": "Crew", "open": true});
    let shared = setup.group(owner, form()).await;
    let alone = setup.group(owner, form()).await;
    let theirs = setup.group(first, form()).await;
    for member in [first, second, moderator] {
        setup.social.join_group(member, &shared).await.unwrap();
    }
    setup.social.join_group(owner, &theirs).await.unwrap();
    let promote = setup
        .social
        .set_group_role(owner, &shared, moderator.as_str(), "moderator");
    promote.await.unwrap();

    let tx = setup.db.write().await.unwrap();
    people::lock(&tx, [owner.as_str()]).await.unwrap();
    hand_over_groups(&tx, owner).await.unwrap();
    tx.commit().await.unwrap();
    erase_player(&setup.db, owner).await;

    let role = |player: &PlayerId, role: &str| (player.to_string(), role.to_owned());
    assert_eq!(
        setup.roles(&shared).await,
        [
            role(moderator, "owner"),
            role(first, "member"),
            role(second, "member")
        ]
    );
    assert_eq!(setup.roles(&theirs).await, [role(first, "owner")]);
    let gone = setup.social.group(&alone).await.unwrap_err();
    assert_eq!(gone.code, Code::GroupNotFound);
    let told = setup.told(moderator).await;
    assert_eq!(told[0]["type"], "group_role_changed");
    assert_eq!(told[0]["content"]["role"], "owner");
    let group = setup.social.group(&shared).await.unwrap();
    assert_eq!(
        serde_json::to_value(group).unwrap()["creator_id"],
        Value::Null
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_always_has_one_owner_whatever_its_members_do_at_once() {
    let setup = Arc::new(setup().await);
    for round in 0..6 {
        let players = add_players(&setup.db, 6).await;
        let group = setup
            .group(&players[0], json!({"name": "Crew", "open": true}))
            .await;
        for player in &players[1..] {
            setup.social.join_group(player, &group).await.unwrap();
        }
        let deeds: Vec<_> = (0..18)
            .map(|n| {
                let (setup, group) = (Arc::clone(&setup), group.clone());
                let actor = players[(n + round) % 6].clone();
                let other = players[(n * 5 + 1) % 6].clone();
                tokio::spawn(async move {
                    let social = &setup.social;
                    match n % 3 {
                        0 => social
                            .set_group_role(&actor, &group, other.as_str(), "owner")
                            .await
                            .map(drop),
                        1 => social.leave_group(&actor, &group).await,
                        _ => social.join_group(&actor, &group).await,
                    }
                })
            })
            .collect();
        for deed in deeds {
            if let Err(error) = deed.await.unwrap() {
                assert_ne!(error.code, Code::Internal);
            }
        }
        let Ok(_) = setup.social.group(&group).await else {
            continue;
        };
        let roles = setup.roles(&group).await;
        let owners = roles.iter().filter(|(_, role)| role == "owner").count();
        assert_eq!(owners, 1, "{roles:?}");
    }
}
