//! Players and how they sign in; matches, their snapshots and votes.
//!
//! Ids are text, times are Unix milliseconds: the same in SQLite and PostgreSQL.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, float, integer, json, json_null, string, string_null,
    string_uniq,
};

use super::shape::{index, key, owner, table};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All tables or none, in SQLite too: a process killed half-way starts again from nothing.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn tables() -> [TableCreateStatement; 8] {
    [
        table("players")
            .col(key("id"))
            .col(string_uniq("username"))
            .col(string("display_name"))
            .col(string_null("avatar_url"))
            .col(json("metadata"))
            .col(string_null("password_hash"))
            .col(big_integer_null("banned_at"))
            .col(big_integer("inserted_at"))
            .col(big_integer("updated_at"))
            .to_owned(),
        table("player_identities")
            .col(key("id"))
            .col(string("player_id"))
            .col(string("provider"))
            .col(string("provider_uid"))
            .col(json("provider_metadata"))
            .col(big_integer("inserted_at"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner("player_identities"))
            .to_owned(),
        table("refresh_tokens")
            .col(key("token_hash"))
            .col(string("family_id"))
            .col(string("player_id"))
            .col(big_integer("issued_at"))
            .col(big_integer("expires_at"))
            .col(big_integer_null("used_at"))
            .foreign_key(&mut owner("refresh_tokens"))
            .to_owned(),
        table("revoked_families")
            .col(key("family_id"))
            .col(big_integer("revoked_at"))
            .to_owned(),
        // No reference to its player: results are written together, and one of a player erased
        // meanwhile must not keep the others from being written.
        table("player_stats")
            .col(key("player_id"))
            .col(integer("games_played").default(0))
            .col(integer("wins").default(0))
            .col(integer("losses").default(0))
            .col(float("rating").default(1500.0))
            .col(float("rating_deviation").default(350.0))
            .col(big_integer("updated_at"))
            .to_owned(),
        table("match_records")
            .col(key("id"))
            .col(string("mode"))
            .col(string("status"))
            .col(json("players"))
            .col(json("result"))
            .col(big_integer_null("started_at"))
            .col(big_integer("finished_at"))
            .col(big_integer("inserted_at"))
            .to_owned(),
        table("match_snapshots")
            .col(key("match_id"))
            .col(string("mode"))
            .col(json("meta"))
            .col(binary("state"))
            .col(big_integer("saved_at"))
            .to_owned(),
        table("votes")
            .col(key("id"))
            .col(string("match_id"))
            .col(string("template"))
            .col(string("method"))
            .col(json("options"))
            .col(json("votes_cast"))
            .col(json_null("result"))
            .col(json("distribution"))
            .col(float("turnout"))
            .col(integer("eligible_count"))
            .col(big_integer("window_ms"))
            .col(big_integer("opened_at"))
            .col(big_integer("closed_at"))
            .col(big_integer("inserted_at"))
            .to_owned(),
    ]
}

fn indexes() -> [IndexCreateStatement; 6] {
    [
        index(
            "player_identities_uid",
            "player_identities",
            &["provider", "provider_uid"],
        )
        .unique()
        .to_owned(),
        index(
            "player_identities_player",
            "player_identities",
            &["player_id"],
        ),
        index("refresh_tokens_family", "refresh_tokens", &["family_id"]),
        index("refresh_tokens_player", "refresh_tokens", &["player_id"]),
        index(
            "match_records_mode",
            "match_records",
            &["mode", "inserted_at"],
        ),
        index("votes_match", "votes", &["match_id"]),
    ]
}
