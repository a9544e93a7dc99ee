//! The tables of friends and groups, as `db/migrations/m0002` makes them.

// The derives write `pub` items; the module itself is private.
#![allow(unreachable_pub)]

pub(super) mod friendships {
    use sea_orm::entity::prelude::*;

    /// What one player is to another. `pending` and `accepted` stand once for a pair, in the
    /// name of who asked; `blocked` stands in the name of who blocks, perhaps both ways.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "friendships")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub player_id: String,
        pub friend_id: String,
        pub status: String,
        pub inserted_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod groups {
    use sea_orm::entity::prelude::*;

    use crate::db::Document;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "groups")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub description: Option<String>,
        pub max_members: i32,
        pub open: bool,
        /// None: the creator's account was erased.
        pub creator_id: Option<String>,
        pub metadata: Document,
        pub inserted_at: i64,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod group_members {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "group_members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub group_id: String,
        pub player_id: String,
        pub role: String,
        pub joined_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod group_invites {
    use sea_orm::entity::prelude::*;

    /// What stands between a group and a player who may become a member: an invitation, or,
    /// where nobody invited them, the player's own request.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "group_invites")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub group_id: String,
        pub player_id: String,
        pub invited_by: Option<String>,
        pub inserted_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
