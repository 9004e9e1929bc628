//! `docs/alerts.yml` is of use: it can be read, asks only for what a real box tells, and each
//! alarm has its paragraph.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by it")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::http::Metrics;
use common::{Place, Server, answerback, json_lines};
use saphyr::{LoadableYamlNode, Yaml};

/// Words of the language of expressions, among those that the rules use.
const WORDS: &[&str] = &[
    "and",
    "by",
    "changes",
    "code",
    "histogram_quantile",
    "instance",
    "or",
    "predict_linear",
    "rate",
    "reason",
    "sum",
];
/// What Prometheus adds by itself.
const OWN: &[&str] = &["up"];

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

struct Rule {
    name: String,
    expression: String,
    severity: String,
    summary: String,
    runbook: String,
}

fn text(node: &Yaml<'_>, key: &str) -> String {
    let found = node.as_mapping_get(key).and_then(Yaml::as_str);
    found.unwrap_or_else(|| panic!("no {key} in {node:?}")).to_owned()
}

fn rules() -> Vec<Rule> {
    let text_of_all = document("alerts.yml");
    let documents = Yaml::load_from_str(&text_of_all).unwrap();
    let groups = documents.first().unwrap().as_mapping_get("groups").unwrap();
    let groups = groups.as_sequence().unwrap().iter();
    let rules = groups.flat_map(|group| group.as_mapping_get("rules").unwrap().as_vec().unwrap());
    let rule = |node: &Yaml<'_>| {
        let annotations = node.as_mapping_get("annotations").unwrap();
        Rule {
            name: text(node, "alert"),
            expression: text(node, "expr"),
            severity: text(node.as_mapping_get("labels").unwrap(), "severity"),
            summary: text(annotations, "summary"),
            runbook: text(annotations, "runbook_url"),
        }
    };
    rules.map(rule).collect()
}

/// The names of an expression, what stands in quotes and between brackets left out.
fn names(expression: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut word, mut is_quoted, mut is_bracketed) = (String::new(), false, false);
    for character in expression.chars().chain([' ']) {
        match character {
            '"' => is_quoted = !is_quoted,
            '[' | ']' if !is_quoted => is_bracketed = character == '[',
            _ if is_quoted || is_bracketed => {}
            _ if character.is_ascii_alphanumeric() || character == '_' => word.push(character),
            _ => {
                let done = std::mem::take(&mut word);
                if done.starts_with(|first: char| first.is_ascii_alphabetic()) {
                    names.insert(done);
                }
            }
        }
    }
    names
}

/// The names that Prometheus makes of a family.
fn series(metrics: &Metrics) -> BTreeSet<String> {
    let of_family = |(name, kind): (&String, &String)| {
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        suffixes.iter().map(|suffix| format!("{name}{suffix}")).collect::<Vec<_>>()
    };
    metrics.kinds.iter().flat_map(of_family).collect()
}

/// The metrics of a box that has just been looked at.
fn metrics() -> Metrics {
    let place = Place::new();
    let data = place.path("data");
    let mut command = place.serve_with_admin("127.0.0.1:0", &data, "127.0.0.1:0");
    command.arg("--tls-certificate").arg(place.keys().join("tls.crt"));
    command.arg("--tls-key").arg(place.keys().join("tls.key"));
    let server = Server::start(&mut command);
    let output = answerback().args(["status", "--json", "--data"]).arg(&data).output().unwrap();
    let status = json_lines(&output).remove(0);
    let address = status.get("admin_listen").unwrap().as_str().unwrap().to_owned();
    loop {
        let metrics = Metrics::of(&address);
        let has = |name| metrics.kinds.contains_key(name);
        if has("answerback_users") && has("answerback_sessions") {
            drop(server);
            return metrics;
        }
    }
}

#[test]
fn every_expression_asks_only_for_what_a_box_tells() {
    let told = series(&metrics());
    for Rule { name, expression, .. } in rules() {
        let balance = |open: char, close: char| {
            let count = |wanted| expression.chars().filter(|found| *found == wanted).count();
            assert_eq!(count(open), count(close), "{name}: {expression}");
        };
        balance('(', ')');
        balance('{', '}');
        balance('[', ']');
        let asked = names(&expression);
        let known = |word: &str| WORDS.contains(&word) || OWN.contains(&word);
        for word in asked.iter().filter(|word| !known(word) && *word != "job") {
            assert!(told.contains(word), "{name} asks for {word}, which no box tells");
        }
        assert!(
            asked.iter().any(|word| told.contains(word) || OWN.contains(&word.as_str())),
            "{name} asks for nothing: {expression}"
        );
    }
}

/// A counter that is not taken the rate of fires for ever.
#[test]
fn counters_are_asked_for_by_their_rate() {
    for Rule { name, expression, .. } in rules() {
        for (place, _) in
            expression.match_indices("_total").chain(expression.match_indices("_bucket"))
        {
            let before = expression.get(..place).unwrap();
            let call = before.rfind("rate(").unwrap_or_else(|| panic!("{name}: {expression}"));
            assert!(!before.get(call..).unwrap().contains(')'), "{name}: {expression}");
        }
    }
}

#[test]
fn every_alarm_has_a_paragraph_that_says_what_to_do() {
    let operations = document("OPERATIONS.md");
    let (_, alarms) = operations.split_once("\n## Alarms\n").unwrap();
    let mut paragraphs: Vec<_> = alarms.split("\n### ").skip(1).collect();
    let rules = rules();
    assert!(rules.len() > 15, "all of them were read");
    for Rule { name, severity, summary, runbook, .. } in &rules {
        assert!(["page", "ticket"].contains(&severity.as_str()), "{name}: {severity}");
        assert!(summary.contains("$labels.instance") && summary.len() < 100, "{name}: {summary}");
        assert_eq!(*runbook, format!("OPERATIONS.md#{}", name.to_lowercase()), "{name}");
        let index = paragraphs
            .iter()
            .position(|paragraph| paragraph.lines().next() == Some(name))
            .unwrap_or_else(|| panic!("no paragraph of {name}"));
        let paragraph = paragraphs.remove(index);
        assert!(paragraph.contains("**Do:**"), "what to do about {name}: {paragraph}");
        assert!(paragraph.to_lowercase().contains("user"), "what users notice: {paragraph}");
    }
    assert_eq!(paragraphs, [""; 0], "paragraphs without a rule");
}

/// What the page names exists: its metrics and its commands.
#[test]
fn the_page_names_only_what_there_is() {
    let operations = document("OPERATIONS.md");
    let told = series(&metrics());
    let kinds: BTreeSet<_> = told.iter().map(String::as_str).collect();
    let words =
        operations.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    for word in words.filter(|word| word.starts_with("answerback_") && word.len() > 11) {
        let is_told = kinds.contains(word)
            || kinds.iter().any(|kind| {
                kind.strip_prefix(word).is_some_and(|rest| rest == "_bucket" || word.ends_with('_'))
            });
        assert!(is_told, "{word}");
    }
    let help = answerback().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let spans = operations.split('`').skip(1).step_by(2);
    let lines = operations.lines().map(str::trim_start);
    for rest in spans.chain(lines).filter_map(|code| code.strip_prefix("answerback ")) {
        let command = rest.split([' ', '\n']).next().unwrap();
        let is_command =
            help.lines().any(|line| line.trim_start().split(' ').next() == Some(command));
        assert!(is_command, "answerback {command}");
    }
}
