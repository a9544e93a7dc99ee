//! The tables of matches.

pub(super) mod snapshots {
    use sea_orm::entity::prelude::*;

    use crate::db::Document;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "match_snapshots")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub match_id: String,
        pub mode: String,
        pub meta: Document,
        pub state: Vec<u8>,
        pub saved_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod records {
    use sea_orm::entity::prelude::*;
    use serde_json::{Value, json};

    use crate::clock::iso;
    use crate::db::Document;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "match_records")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub mode: String,
        pub status: String,
        pub players: Document,
        pub result: Document,
        pub started_at: Option<i64>,
        pub finished_at: i64,
        pub inserted_at: i64,
    }

    impl Model {
        pub(crate) fn shown(self) -> Value {
            json!({
                "id": self.id, "mode": self.mode, "status": self.status, "players": self.players,
                "result": self.result, "started_at": self.started_at.map(iso),
                "finished_at": iso(self.finished_at), "inserted_at": iso(self.inserted_at),
            })
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod stats {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "player_stats")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub player_id: String,
        pub games_played: i32,
        pub wins: i32,
        pub losses: i32,
        pub rating: f32,
        pub rating_deviation: f32,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
