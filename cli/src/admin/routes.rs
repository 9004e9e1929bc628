//! What the admin listener answers.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::metrics;
use super::readiness::{Phase, Readiness};
use crate::watch::WatchView;

/// Of Prometheus and all that reads what it reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const NOT_FOUND: &str = "here are /metrics, /live and /ready\n";

/// What is answered from.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) readiness: Readiness,
    pub(super) watch: WatchView,
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

async fn ready(State(seen): State<Seen>) -> (StatusCode, String) {
    let phase = seen.readiness.phase();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{phase}\n"))
}

async fn metrics(State(seen): State<Seen>) -> Response {
    let families = metrics::families(&seen.readiness.phase(), &seen.watch);
    match metrics::encode(families) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
