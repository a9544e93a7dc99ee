//! What players have beside their account: friends, groups, chat, notifications, storage; and
//! the record of what was done to whom.
//!
//! Ids are text, times are Unix milliseconds: the same in SQLite and PostgreSQL.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, json, string, string_null, text,
};

use super::shape::{index, key, owner, reference, table};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All tables or none, in SQLite too: a process killed half-way starts again from nothing.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let last_seen = Table::alter()
            .table("players")
            .add_column(big_integer_null("last_seen_at"))
            .to_owned();
        manager.alter_table(last_seen).await?;
        let tables = social().into_iter().chain(messages()).chain(storage());
        for table in tables.chain([audit()]) {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn social() -> [TableCreateStatement; 4] {
    [
        table("friendships")
            .col(key("id"))
            .col(string("player_id"))
            .col(string("friend_id"))
            .col(string("status"))
            .col(big_integer("inserted_at"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner("friendships"))
            .foreign_key(&mut reference("friendships", "friend_id", "players"))
            .to_owned(),
        table("groups")
            .col(key("id"))
            .col(string("name"))
            .col(text("description").null())
            .col(integer("max_members"))
            .col(boolean("open"))
            .col(string_null("creator_id"))
            .col(json("metadata"))
            .col(big_integer("inserted_at"))
            .col(big_integer("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .from("groups", "creator_id")
                    .to("players", "id")
                    // A group is its members'; it outlives whoever made it.
                    .on_delete(ForeignKeyAction::SetNull),
            )
            .to_owned(),
        table("group_members")
            .col(key("id"))
            .col(string("group_id"))
            .col(string("player_id"))
            .col(string("role"))
            .col(big_integer("joined_at"))
            .foreign_key(&mut reference("group_members", "group_id", "groups"))
            .foreign_key(&mut owner("group_members"))
            .to_owned(),
        table("group_invites")
            .col(key("id"))
            .col(string("group_id"))
            .col(string("player_id"))
            // Who invited the player; none: the player asked to be let in.
            .col(string_null("invited_by"))
            .col(big_integer("inserted_at"))
            .foreign_key(&mut reference("group_invites", "group_id", "groups"))
            .foreign_key(&mut owner("group_invites"))
            .to_owned(),
    ]
}

fn messages() -> [TableCreateStatement; 2] {
    [
        table("chat_messages")
            .col(key("id"))
            .col(string("channel_type"))
            .col(string("channel_id"))
            // No reference: a game may speak in a name of its own.
            .col(string("sender_id"))
            .col(text("content"))
            .col(big_integer("sent_at"))
            // Of direct messages: who gets it, and when it was first handed to a connection.
            .col(string_null("recipient_id"))
            .col(big_integer_null("delivered_at"))
            .to_owned(),
        table("notifications")
            .col(key("id"))
            .col(string("player_id"))
            .col(string("type"))
            .col(text("subject"))
            .col(json("content"))
            .col(boolean("read"))
            .col(big_integer("sent_at"))
            // Of another player's deed: who that is.
            .col(string_null("from_player_id"))
            .foreign_key(&mut owner("notifications"))
            .foreign_key(&mut reference("notifications", "from_player_id", "players"))
            .to_owned(),
    ]
}

fn storage() -> [TableCreateStatement; 2] {
    [
        table("cloud_saves")
            .col(key("id"))
            .col(string("player_id"))
            .col(string("slot"))
            .col(json("data"))
            .col(integer("version"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner("cloud_saves"))
            .to_owned(),
        table("storage_objects")
            .col(key("id"))
            .col(string("collection"))
            .col(string("key"))
            .col(string_null("player_id"))
            // The player again, or empty for the game's own objects: NULLs are never equal, so
            // the unique index below cannot rest on `player_id`.
            .col(string("owner"))
            .col(json("value"))
            .col(integer("version"))
            .col(string("read_perm"))
            .col(string("write_perm"))
            .col(big_integer("updated_at"))
            .foreign_key(&mut owner("storage_objects"))
            .to_owned(),
    ]
}

/// No references: the record of an erasure outlives its subject.
fn audit() -> TableCreateStatement {
    table("audit_entries")
        .col(key("id"))
        .col(string("actor_id"))
        .col(string("actor_display"))
        .col(string("actor_source"))
        .col(boolean("actor_attested"))
        .col(string("action"))
        .col(string("target_type"))
        .col(string_null("target_id"))
        .col(string("outcome"))
        .col(integer("succeeded_count"))
        .col(integer("failed_count"))
        .col(json("details"))
        .col(big_integer("occurred_at"))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let unique = |name, table, columns| index(name, table, columns).unique().to_owned();
    vec![
        unique(
            "friendships_pair",
            "friendships",
            &["player_id", "friend_id"],
        ),
        index("friendships_friend", "friendships", &["friend_id"]),
        unique(
            "group_members_pair",
            "group_members",
            &["group_id", "player_id"],
        ),
        index("group_members_player", "group_members", &["player_id"]),
        unique(
            "group_invites_pair",
            "group_invites",
            &["group_id", "player_id"],
        ),
        index("group_invites_player", "group_invites", &["player_id"]),
        index("groups_creator", "groups", &["creator_id"]),
        // The list of all modes.
        index("match_records_newest", "match_records", &["inserted_at"]),
        // Ids sort by time.
        index(
            "chat_messages_channel",
            "chat_messages",
            &["channel_id", "id"],
        ),
        index("chat_messages_sender", "chat_messages", &["sender_id"]),
        index(
            "chat_messages_undelivered",
            "chat_messages",
            &["recipient_id", "delivered_at"],
        ),
        index(
            "notifications_player",
            "notifications",
            &["player_id", "id"],
        ),
        index("notifications_from", "notifications", &["from_player_id"]),
        unique("cloud_saves_slot", "cloud_saves", &["player_id", "slot"]),
        unique(
            "storage_objects_key",
            "storage_objects",
            &["owner", "collection", "key"],
        ),
        index("storage_objects_player", "storage_objects", &["player_id"]),
        // Somebody else's object at a key, oldest first; and a collection's, newest first.
        index(
            "storage_objects_readable",
            "storage_objects",
            &["collection", "key", "read_perm", "id"],
        ),
        index(
            "storage_objects_writable",
            "storage_objects",
            &["collection", "key", "write_perm", "id"],
        ),
        index(
            "storage_objects_listed",
            "storage_objects",
            &["collection", "read_perm", "id"],
        ),
        index(
            "audit_entries_actor",
            "audit_entries",
            &["actor_id", "occurred_at"],
        ),
        index(
            "audit_entries_action",
            "audit_entries",
            &["action", "occurred_at"],
        ),
        index("audit_entries_target", "audit_entries", &["target_id"]),
    ]
}
