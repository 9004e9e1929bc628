//! The thread that tells the operator's server of reports.

use std::sync::mpsc::Receiver;

use answerback_gateway::AskedReport;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tracing::{error, info};

use super::figures::HooksView;
use super::post::Post;
use crate::clock::unix_ms;
use crate::random;

/// Tells of each, once, until the box has ended: whoever reports asks again.
pub(super) fn run(post: &Post, asked: &Receiver<AskedReport>, view: &HooksView) {
    for report in asked {
        // Without randomness the server cannot tell a repeat.
        let delivery = format!("{:032x}", random::id().unwrap_or_default());
        let body = body(&report, &delivery).to_string();
        match post.send(&delivery, body.as_bytes()) {
            Ok(()) => {
                let mut was_failing = false;
                view.change(|figures| {
                    figures.reports += 1;
                    was_failing = std::mem::take(&mut figures.are_reports_failing);
                });
                if was_failing {
                    info!("reports are taken again");
                }
                report.done(unix_ms());
            }
            Err(fault) => {
                let mut was_failing = false;
                view.change(|figures| {
                    figures.report_failures += 1;
                    was_failing = std::mem::replace(&mut figures.are_reports_failing, true);
                });
                if !was_failing {
                    error!(alarm = "reports_failing", "nobody takes reports: {fault}");
                }
                drop(report);
            }
        }
    }
}

fn body(report: &AskedReport, delivery: &str) -> Value {
    let reported = &report.reported;
    let message = reported.message.map(|(device, sequence)| {
        json!({ "device": device.to_string(), "sequence": sequence.to_string() })
    });
    json!({
        "hook": "report",
        "delivery": delivery,
        "reporter": report.reporter.to_string(),
        "device": report.device.to_string(),
        "reported": reported.user.to_string(),
        "message": message,
        "reason": reported.reason,
        "excerpt": STANDARD.encode(&reported.excerpt),
    })
}
