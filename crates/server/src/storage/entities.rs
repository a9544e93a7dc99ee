//! The tables of storage, as `db/migrations/m0002` makes them.

pub(super) mod saves {
    use sea_orm::entity::prelude::*;

    use crate::db::Document;

    /// Unique by player and slot.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "cloud_saves")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub player_id: String,
        pub slot: String,
        pub data: Document,
        pub version: i32,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod objects {
    use sea_orm::entity::prelude::*;

    use crate::db::Document;

    /// Unique by owner, collection and key.
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "storage_objects")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub collection: String,
        pub key: String,
        pub player_id: Option<String>,
        /// The player again, or empty for the game's own.
        pub owner: String,
        pub value: Document,
        pub version: i32,
        pub read_perm: String,
        pub write_perm: String,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
