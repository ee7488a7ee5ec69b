//! The game over HTTP.
//!
//! A 2xx means that the store has accepted it. 503 means "not now": the client sends the same request again.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header::RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::game::{Game, GameError, PlayerId, Position};
use crate::page::{self, Feed};
use crate::store::StoreError;

/// The leaderboard's length when the request names none.
const LEADERS: usize = 10;

#[derive(Deserialize)]
struct Score {
    add: u64,
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

#[derive(Deserialize)]
struct Leave {
    /// The last step that the client saw acknowledged.
    #[serde(default)]
    step: u64,
}

/// An error on its way to the client.
struct Failure(StatusCode, String);

type Answer<T> = Result<T, Failure>;

/// All routes.
pub(crate) fn router(game: Game, feed: Feed) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/events", get(async move || feed.events()))
        .route("/healthz", get(async || "ok"))
        .route("/players", get(players))
        .route("/players/{id}", get(player).post(join).delete(leave))
        .route("/players/{id}/move", post(advance))
        .route("/players/{id}/score", post(score))
        .route("/leaderboard", get(leaderboard))
        .with_state(Arc::new(game))
}

async fn join(State(game): State<Arc<Game>>, Path(id): Path<String>) -> Answer<Response> {
    let player = game.join(&parse(&id)?).await?;
    Ok((StatusCode::CREATED, Json(player)).into_response())
}

async fn advance(
    State(game): State<Arc<Game>>,
    Path(id): Path<String>,
    body: Result<Json<Position>, JsonRejection>,
) -> Answer<Json<Position>> {
    let Json(to) = body?;
    Ok(Json(game.advance(&parse(&id)?, to).await?))
}

async fn score(
    State(game): State<Arc<Game>>,
    Path(id): Path<String>,
    body: Result<Json<Score>, JsonRejection>,
) -> Answer<Json<Value>> {
    let Json(Score { add }) = body?;
    let score = game.score(&parse(&id)?, add).await?;
    Ok(Json(json!({ "score": score })))
}

async fn leave(
    State(game): State<Arc<Game>>,
    Path(id): Path<String>,
    query: Result<Query<Leave>, QueryRejection>,
) -> Answer<StatusCode> {
    let Query(Leave { step }) = query?;
    game.leave(&parse(&id)?, step).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn player(State(game): State<Arc<Game>>, Path(id): Path<String>) -> Answer<Response> {
    let player = game.player(&parse(&id)?).await?;
    Ok(Json(player).into_response())
}

async fn players(State(game): State<Arc<Game>>) -> Answer<Json<Value>> {
    Ok(Json(json!({ "players": game.players().await? })))
}

async fn leaderboard(
    State(game): State<Arc<Game>>,
    query: Result<Query<Limit>, QueryRejection>,
) -> Answer<Json<Value>> {
    let Query(Limit { limit }) = query?;
    Ok(Json(json!({ "leaders": game.leaderboard(limit.unwrap_or(LEADERS)).await? })))
}

fn parse(id: &str) -> Answer<PlayerId> {
    id.parse().map_err(Failure::from)
}

// === impl Failure ===

impl From<GameError> for Failure {
    fn from(error: GameError) -> Self {
        let status = match &error {
            GameError::BadId => StatusCode::BAD_REQUEST,
            GameError::UnknownPlayer => StatusCode::NOT_FOUND,
            GameError::OldStep { .. } => StatusCode::CONFLICT,
            GameError::NotHereYet { .. } => StatusCode::SERVICE_UNAVAILABLE,
            GameError::Store(StoreError::Conflict | StoreError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            GameError::Store(StoreError::Refused(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, error) = self;
        if status.is_server_error() {
            tracing::debug!(%status, error, "Request failed");
        }
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}
