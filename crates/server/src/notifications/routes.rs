//! `/api/v1/notifications`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Filter, Notification, Notifications};
use crate::edge::caller::Caller;
use crate::edge::error::Failure;
use crate::edge::openapi::{Failures, Success};
use crate::edge::params::{Path, Query};

type Answer<T> = Result<Json<T>, Failure>;

/// The routes, below `/api/v1`.
pub fn routes(notifications: Notifications) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(mark_all_read))
        .routes(routes!(mark_read))
        .routes(routes!(delete))
        .with_state(notifications)
}

#[derive(Serialize, ToSchema)]
struct NotificationList {
    notifications: Vec<Notification>,
}

/// The caller's notifications, newest first.
#[utoipa::path(
    get,
    path = "/notifications",
    tag = "notifications",
    params(Filter),
    responses((status = 200, body = NotificationList), Failures)
)]
async fn list(
    State(notifications): State<Notifications>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Answer<NotificationList> {
    let notifications = notifications.list(&caller.player, &filter).await?;
    Ok(Json(NotificationList { notifications }))
}

/// Marks one of the caller's notifications as read.
#[utoipa::path(
    put,
    path = "/notifications/{id}/read",
    tag = "notifications",
    params(("id" = String, Path)),
    responses((status = 200, body = Notification), Failures)
)]
async fn mark_read(
    State(notifications): State<Notifications>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Notification> {
    Ok(Json(notifications.mark_read(&caller.player, &id).await?))
}

/// Marks all of the caller's notifications as read.
#[utoipa::path(
    put,
    path = "/notifications/read",
    tag = "notifications",
    responses((status = 200, body = Success), Failures)
)]
async fn mark_all_read(
    State(notifications): State<Notifications>,
    caller: Caller,
) -> Answer<Success> {
    notifications.mark_all_read(&caller.player).await?;
    Ok(Success::json())
}

/// Removes one of the caller's notifications.
#[utoipa::path(
    delete,
    path = "/notifications/{id}",
    tag = "notifications",
    params(("id" = String, Path)),
    responses((status = 200, body = Success), Failures)
)]
async fn delete(
    State(notifications): State<Notifications>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer<Success> {
    notifications.delete(&caller.player, &id).await?;
    Ok(Success::json())
}
