//! Friends and groups on a real database: what two players may do to each other in any order,
//! and what many do at once.

mod friends;
mod groups;

use serde_json::Value;

use super::*;
use crate::config::NotificationsConfig;
use crate::db::scratch::Scratch;
use crate::edge::params::Limit;

struct Setup {
    social: Social,
    db: Db,
    _scratch: Scratch,
}

async fn setup() -> Setup {
    let scratch = Scratch::new();
    let db = scratch.open().await;
    let bus = Bus::default();
    let told = Notifications::new(&NotificationsConfig::default(), db.clone(), bus.clone());
    let config = SocialConfig {
        notices_per_minute: 0,
        ..SocialConfig::default()
    };
    Setup {
        social: Social::new(&config, db.clone(), bus, told),
        db,
        _scratch: scratch,
    }
}

impl Setup {
    async fn friends(&self, player: &PlayerId) -> Vec<Value> {
        let filter = super::friends::Filter::default();
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
        let form: super::groups::GroupForm = serde_json::from_value(form).unwrap();
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
