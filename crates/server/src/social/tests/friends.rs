//! What two players may do to each other, in any order and at once.

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::Code;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::setup;
use crate::db::scratch::add_players;
use crate::edge::error::Outcome;
use crate::social::{Social, store};

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
