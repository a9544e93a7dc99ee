//! Groups when members are erased, and when many act at once.

use std::sync::Arc;

use asobi_game::PlayerId;
use asobi_wire::Code;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use serde_json::{Value, json};

use super::{Setup, setup};
use crate::accounts::people;
use crate::db::scratch::{add_players, erase_player};
use crate::social::{group_store, hand_over_groups, invites};

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

/// An erasure holds the player and waits for the group; who changes the group must not wait for
/// the player.
#[tokio::test(flavor = "multi_thread")]
async fn an_heir_who_is_being_erased_holds_nobody_up() {
    let setup = Arc::new(setup().await);
    for _ in 0..20 {
        let players = add_players(&setup.db, 3).await;
        let [owner, heir, other] = &players[..] else {
            panic!()
        };
        let group = setup.group(owner, json!({"name": "Crew", "open": true}));
        let group = group.await;
        for member in [heir, other] {
            setup.social.join_group(member, &group).await.unwrap();
        }
        let (erasing, leaving) = tokio::join!(
            erase_with_groups(Arc::clone(&setup), heir.clone()),
            setup.social.leave_group(owner, &group),
        );
        erasing.unwrap();
        leaving.unwrap();
        assert_eq!(
            setup.roles(&group).await,
            [(other.to_string(), "owner".to_owned())]
        );
    }
}

/// As `players::erasure` does it.
async fn erase_with_groups(setup: Arc<Setup>, player: PlayerId) -> Result<(), DbErr> {
    let task = async move {
        let tx = setup.db.write().await?;
        if tx.get_database_backend() == DbBackend::Postgres {
            let lock = format!("SELECT id FROM players WHERE id = '{player}' FOR UPDATE");
            tx.execute_unprepared(&lock).await?;
        }
        hand_over_groups(&tx, &player).await?;
        let erase = format!("DELETE FROM players WHERE id = '{player}'");
        tx.execute_unprepared(&erase).await?;
        tx.commit().await
    };
    tokio::spawn(task).await.unwrap()
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

#[tokio::test(flavor = "multi_thread")]
async fn so_many_requests_and_invitations_wait_at_a_group_and_no_more() {
    let setup = setup().await;
    let players = add_players(&setup.db, 1_003).await;
    let (owner, others) = players.split_first().unwrap();
    let group = setup.group(owner, json!({"name": "Crew"})).await;
    let tx = setup.db.write().await.unwrap();
    let by = [None, Some(owner.as_str())];
    for (n, player) in others[..1_000].iter().enumerate() {
        let invite = group_store::insert_invite(&tx, &group, player.as_str(), by[n % 2]);
        invite.await.unwrap();
    }
    tx.commit().await.unwrap();
    let [asking, inviting] = &others[1_000..] else {
        panic!()
    };
    let refused = setup.social.join_group(asking, &group).await.unwrap_err();
    assert_eq!(refused.code, Code::GroupClosed);
    assert_eq!(refused.details()["requested"], false);
    let invite = setup.social.invite(owner, &group, inviting.as_str()).await;
    assert_eq!(invite.unwrap_err().code, Code::InviteLimitReached);
    assert!(setup.told(owner).await.is_empty());
    let admitted = setup.social.invite(owner, &group, others[0].as_str()).await;
    assert!(matches!(admitted, Ok(invites::Invited::Joined)));
    let refused = setup.social.join_group(asking, &group).await.unwrap_err();
    assert_eq!(refused.details()["requested"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_and_what_happens_beside_it_do_not_hold_each_other_up() {
    let setup = Arc::new(setup().await);
    for round in 0..10 {
        let players = add_players(&setup.db, 8).await;
        let (owner, others) = players.split_first().unwrap();
        let open = round % 2 == 0;
        let group = setup
            .group(owner, json!({"name": "Crew", "open": open}))
            .await;
        let deeds: Vec<_> = others
            .iter()
            .map(|player| {
                let (setup, group) = (Arc::clone(&setup), group.clone());
                let (player, owner) = (player.clone(), owner.clone());
                tokio::spawn(async move {
                    let joined = setup.social.join_group(&player, &group).await;
                    let asked = setup.social.ask(&player, owner.as_str()).await;
                    [joined.err(), asked.err()]
                })
            })
            .collect();
        let tx = setup.db.write().await.unwrap();
        people::lock(&tx, [owner.as_str()]).await.unwrap();
        hand_over_groups(&tx, owner).await.unwrap();
        let erase = format!("DELETE FROM players WHERE id = '{owner}'");
        sea_orm::ConnectionTrait::execute_unprepared(&tx, &erase)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        for deed in deeds {
            for error in deed.await.unwrap().into_iter().flatten() {
                assert_ne!(error.code, Code::Internal, "{error}");
            }
        }
        if setup.social.group(&group).await.is_ok() {
            let roles = setup.roles(&group).await;
            assert_eq!(roles[0].1, "owner");
            assert!(roles.iter().all(|(player, _)| player != owner.as_str()));
        }
    }
}
