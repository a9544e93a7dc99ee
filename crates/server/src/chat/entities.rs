//! The table of messages, as `db/migrations/m0002` makes it.

// The derives write `pub` items; the module itself is private.
#![allow(unreachable_pub)]

pub(super) mod chat_messages {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "chat_messages")]
    pub struct Model {
        /// A UUIDv7: messages sort by it.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub channel_type: String,
        pub channel_id: String,
        pub sender_id: String,
        pub content: String,
        pub sent_at: i64,
        /// Of direct messages: who gets it.
        pub recipient_id: Option<String>,
        /// When a direct message was first handed to a connection of the recipient's.
        pub delivered_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
