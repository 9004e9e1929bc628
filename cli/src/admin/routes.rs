//! What the admin listener answers.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::access::Access;
use super::metrics;
use super::readiness::{Phase, Readiness};
use crate::watch::WatchView;

/// Of Prometheus and all that reads what it reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How a client is told what to show.
const CHALLENGE: &str = "Bearer realm=\"answerback\"";
const NOT_FOUND: &str = "here are /metrics, /live and /ready\n";

/// What is answered from.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) readiness: Readiness,
    pub(super) watch: WatchView,
    pub(super) access: Access,
}

/// All paths.
pub(super) fn router(seen: Seen) -> Router {
    Router::new()
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, NOT_FOUND) })
        .with_state(seen)
}

/// Why it does not serve is for those who may look.
async fn ready(State(seen): State<Seen>, headers: HeaderMap) -> (StatusCode, String) {
    let phase = seen.readiness.phase();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let told = phase.to_string();
    let told = match seen.access.lets_in(headers.get(header::AUTHORIZATION)) {
        true => told.as_str(),
        false => told.split(':').next().unwrap_or_default(),
    };
    (status, format!("{told}\n"))
}

async fn metrics(State(seen): State<Seen>, headers: HeaderMap) -> Response {
    if !seen.access.lets_in(headers.get(header::AUTHORIZATION)) {
        let challenge = [(header::WWW_AUTHENTICATE, CHALLENGE)];
        return (StatusCode::UNAUTHORIZED, challenge, "show the token of admin.token\n")
            .into_response();
    }
    let families = metrics::families(&seen.readiness.phase(), &seen.watch);
    match metrics::encode(families) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
