//! What an erasure does to chat.

use asobi_game::PlayerId;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryFilter};

mod messages {
    use sea_orm::entity::prelude::*;

    /// Of a message, who it is from and whom it is to.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "chat_messages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub sender_id: String,
        pub recipient_id: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Deletes what a player wrote, and what was written to them alone.
pub async fn erase(tx: &DatabaseTransaction, player: &PlayerId) -> Result<(), DbErr> {
    for column in [messages::Column::SenderId, messages::Column::RecipientId] {
        messages::Entity::delete_many()
            .filter(column.eq(player.as_str()))
            .exec(tx)
            .await?;
    }
    Ok(())
}
