//! The table, the layers, and the pages that must not say otherwise.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};

use super::key::Allowed;
use super::keys::{find, sections};
use super::mistake::{Mistakes, Origin};
use super::nearest::nearest;
use super::{Change, Configuration, Flags, KEYS, Key, Layers, Resolved, file};

fn flags(arguments: &[&str]) -> Layers {
    let command = Flags::augment_args(clap::Command::new("serve"));
    let matches = command.try_get_matches_from([&["serve"], arguments].concat()).unwrap();
    Flags::from_arg_matches(&matches).unwrap().layers
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// The settings of a file with this text, of these variables and flags.
fn resolve(
    text: &str,
    variables: &[(&str, &str)],
    arguments: &[&str],
) -> Result<Resolved, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box.toml");
    std::fs::write(&path, text).unwrap();
    let layers = Layers { file: Some(path.clone()), ..flags(arguments) };
    let name = path.display().to_string();
    layers.resolve_with(environment(variables)).map_err(|Mistakes(mistakes)| {
        let lines = mistakes.iter().map(|mistake| mistake.to_string().replace(&name, "box.toml"));
        lines.collect()
    })
}

/// What each box needs.
const NEEDED: [&str; 4] = ["--data", "data", "--jwks", "keys.json"];

fn key(name: &str) -> &'static Key {
    find(name).unwrap_or_else(|| panic!("no key {name}"))
}

#[test]
fn every_key_has_one_name_and_shows_what_it_takes() {
    let mut names = BTreeSet::new();
    for key in KEYS {
        assert!(names.insert(key.environment()), "{key:?} twice");
        assert!(key.flag.is_none_or(|(flag, _)| names.insert(flag.to_owned())), "{key:?}");
        assert!(key.name.split('.').count() == 2 && !key.meaning.is_empty(), "{key:?}");
        let mut configuration = Configuration::default();
        let default = key.show(&configuration);
        if !key.is_required {
            assert!(key.set(&mut configuration, &default), "{key:?} refuses its default");
        }
        let (good, bad) = examples(key.allowed);
        for text in good {
            assert!(key.set(&mut configuration, &text), "{key:?} refuses {text}");
            assert_eq!(key.show(&configuration), text, "{key:?}");
        }
        for text in bad {
            let before = key.show(&configuration);
            assert!(!key.set(&mut configuration, &text), "{key:?} takes {text}");
            assert_eq!(key.show(&configuration), before, "{key:?} is as it was");
        }
    }
    assert_eq!(sections().count(), sections().collect::<BTreeSet<_>>().len(), "sections in one");
}

/// Some of what is allowed, and some of what is not.
fn examples(allowed: Allowed) -> (Vec<String>, Vec<String>) {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let outside = |min: u64, max: u64| {
        let below = min.checked_sub(1).map_or("-1".to_owned(), |below| below.to_string());
        vec![below, (max + 1).to_string(), "1.5".to_owned(), "many".to_owned(), String::new()]
    };
    match allowed {
        Allowed::Number(min, max) => (vec![min.to_string(), max.to_string()], outside(min, max)),
        Allowed::NumberOrAuto(min, max) => {
            (vec![min.to_string(), max.to_string(), "auto".to_owned()], outside(min, max))
        }
        Allowed::PowerOfTwo(max) => (vec!["1".to_owned(), max.to_string()], owned(&["0", "3"])),
        Allowed::Address => (owned(&["[::1]:0", "10.0.0.1:7400"]), owned(&["7400", "localhost"])),
        Allowed::AddressOrNone => (owned(&["[::1]:0", "none"]), owned(&["7480", "", "off"])),
        Allowed::Path => (owned(&["a/b"]), owned(&[""])),
        Allowed::PathOrNone => (owned(&["a/b", "none"]), owned(&[""])),
        Allowed::PathOrAuto => (owned(&["a/b", "auto"]), owned(&[""])),
        Allowed::PathOrUrl => (
            owned(&["a/b", "https://id.example.org/keys", "http://[::1]:1/keys"]),
            owned(&["", "http://id.example.org/keys", "ftp://[::1]/keys"]),
        ),
        Allowed::UrlOrNone => (
            owned(&["none", "https://push.example.org/wake", "http://127.0.0.1:1/"]),
            owned(&["", "a/b", "http://push.example.org/wake", "https://a@push.example.org/"]),
        ),
        Allowed::Cpus => (owned(&["none", "0,3", "7"]), owned(&["", "0,", "a", "1024"])),
        Allowed::Networks => (
            owned(&["none", "10.0.0.7", "10.0.0.7,10.1.0.0/16,fd00::/8", "::1"]),
            owned(&["", "10.0.0.7,", "10.0.0.7/8", "10.0.0.0/33", "proxy.example"]),
        ),
        Allowed::Filter => (
            owned(&["trace", "info,answerback_gateway=debug", "off"]),
            owned(&["inf", "", "info,", "=debug", "answerback=loud", "INFO"]),
        ),
        Allowed::Word(words) => (owned(words), owned(&["", "xml"])),
    }
}

#[test]
fn a_later_layer_wins_and_is_named() {
    let text = "[gateway]\nheartbeat_min_s = 1\nheartbeat_max_s = 1_001\nhello_deadline_ms = 0x400\n\
                [commit]\nlinger_us = 4\n";
    let variables =
        [("ANSWERBACK_GATEWAY_HEARTBEAT_MAX_S", "1002"), ("ANSWERBACK_COMMIT_LINGER_US", "5")];
    let arguments = [&NEEDED[..], &["--linger-us", "6"]].concat();
    let resolved = resolve(text, &variables, &arguments).unwrap();
    let of = |name| (key(name).show(&resolved.configuration), resolved.origin(key(name)).layer());
    assert_eq!(of("gateway.reader_threads"), ("1".to_owned(), "default"));
    assert_eq!(of("gateway.heartbeat_min_s"), ("1".to_owned(), "file"));
    assert_eq!(of("gateway.hello_deadline_ms"), ("1024".to_owned(), "file"));
    assert_eq!(of("gateway.heartbeat_max_s"), ("1002".to_owned(), "environment"));
    assert_eq!(of("commit.linger_us"), ("6".to_owned(), "flag"));
    let Origin::File(_, line) = resolved.origin(key("gateway.hello_deadline_ms")) else {
        panic!("not of the file");
    };
    assert_eq!(*line, Some(4));
}

#[test]
fn any_key_can_be_set_by_a_flag() {
    let arguments = [&NEEDED[..], &["--set", "apply.devices_max=3", "--set", "box.cpus=1,2"]];
    let resolved = resolve("", &[], &arguments.concat()).unwrap();
    assert_eq!(resolved.configuration.gateway.settings.devices_max, 3);
    assert_eq!(resolved.configuration.gateway.cpus, [1, 2]);
    let command = Flags::augment_args(clap::Command::new("serve"));
    for wrong in ["apply.devices_max", "apply.devices_max=0", "apply.device_max=3", "--cores=0"] {
        let arguments = ["serve", if wrong.starts_with('-') { "--" } else { "--set" }, wrong];
        let told = command.clone().try_get_matches_from(arguments);
        assert!(told.is_err(), "{wrong}");
    }
}

#[test]
fn all_mistakes_are_told_where_they_stand() {
    let text = "listen = \"127.0.0.1:1\"\n[gatway]\nlisten = 1\n[gateway]\nconections_max = 5\n\
                hello_deadline_ms = \"5000\"\nlisten = 7400\n[box]\ncores = 0\ncpus = [1, 2.5]\n\
                [log]\nlevel = \"inf\"\nformat = json\n";
    let variables = [
        ("ANSWERBACK_GATEWAY_LISTN", "127.0.0.1:1"),
        ("ANSWERBACK_BOX_PARTITIONS", "3"),
        ("ANSWERBACK_BOX_NOTHING_LIKE_IT", "3"),
    ];
    let lines = resolve(text, &variables, &[]).unwrap_err();
    let wanted = [
        "box.toml:1: unknown key listen; did you mean gateway.listen?",
        "box.toml:2: unknown section [gatway]; did you mean [gateway]?",
        "box.toml:5: unknown key gateway.conections_max; did you mean gateway.connections_max?",
        "box.toml:6: gateway.hello_deadline_ms = \"5000\": must be a whole number from 100 to 60000",
        "box.toml:7: gateway.listen = 7400: must be an address with a port, as \"127.0.0.1:7400\"",
        "box.toml:9: box.cores = 0: must be a whole number from 1 to 1024, or \"auto\"",
        "box.toml:10: box.cpus = [1, 2.5]: must be a list of processors, as 0,2, or \"none\"",
        "box.toml:12: log.level = inf: must be LEVEL",
        "box.toml:13: ",
        "ANSWERBACK_GATEWAY_LISTN: unknown setting; did you mean ANSWERBACK_GATEWAY_LISTEN?",
        "ANSWERBACK_BOX_NOTHING_LIKE_IT: unknown setting; docs/CONFIGURATION.md lists all",
        "ANSWERBACK_BOX_PARTITIONS: box.partitions = 3: must be a power of two up to 1024",
    ];
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(wanted), "{line:?} does not begin with {wanted:?}");
    }
}

#[test]
fn networks_are_an_array_of_texts() {
    let read = |value: &str| resolve(&format!("[gateway]\nproxy_from = {value}\n"), &[], &NEEDED);
    let show = |value| key("gateway.proxy_from").show(&read(value).unwrap().configuration);
    assert_eq!(show("[\"10.0.0.7\", \"fd00::/8\"]"), "10.0.0.7,fd00::/8");
    assert_eq!(show("[]"), "none");
    for wrong in ["[\"10.0.0.7\", 10]", "[\"10.0.0.7\", \"10.0.0.0/33\"]", "[[\"10.0.0.7\"]]", "7"]
    {
        let lines = read(wrong).unwrap_err();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.starts_with("box.toml:2: gateway.proxy_from = "), "{line}");
        assert!(line.contains(": must be a list of addresses and networks"), "{line}");
    }
}

#[test]
fn settings_that_contradict_each_other_or_are_missing() {
    let lines =
        resolve("[gateway]\nheartbeat_min_s = 9\n", &[], &["--set", "gateway.heartbeat_max_s=8"]);
    let lines = lines.unwrap_err();
    assert_eq!(
        lines,
        [
            "box.data is missing: set it in the file, by ANSWERBACK_BOX_DATA, or by --data DIR",
            "box.jwks is missing: set it in the file, by ANSWERBACK_BOX_JWKS, or by --jwks FILE",
            "gateway.heartbeat_min_s = 9 (box.toml:2) is greater than gateway.heartbeat_max_s = 8 (--set)",
        ]
    );
}

#[test]
fn a_box_that_others_reach_has_to_prove_itself() {
    let mistakes = |arguments: &[&str]| {
        let resolved = resolve("", &[], &[&NEEDED[..], arguments].concat());
        resolved.map_or_else(|mistakes| mistakes, |resolved| resolved.warnings)
    };
    let pair = ["--tls-certificate", "a.crt", "--tls-key", "a.key"];
    let lines = mistakes(&["--listen", "0.0.0.0:7400"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("--listen: gateway.listen = 0.0.0.0:7400 can be"), "{lines:?}");
    for word in ["gateway.tls_certificate", "gateway.tls_key", "gateway.plaintext"] {
        assert!(lines[0].contains(word), "{lines:?}");
    }
    assert_eq!(mistakes(&[&["--listen", "0.0.0.0:7400"], &pair[..]].concat()), [""; 0]);
    assert!(mistakes(&pair[..2])[0].starts_with("gateway.tls_key is missing"));
    assert!(mistakes(&pair[2..])[0].starts_with("gateway.tls_certificate is missing"));

    let open = ["--admin-listen", "[::]:7480"];
    let admin = |parts: &[&[&str]]| mistakes(&[&open[..], &parts.concat()].concat());
    let certificate = &["--set", "admin.tls_certificate=a.crt", "--set", "admin.tls_key=a.key"][..];
    let token = &["--set", "admin.token=token"][..];
    for missing in [&[][..], &[certificate], &[token]] {
        let lines = admin(missing);
        assert!(lines.len() == 1 && lines[0].contains("admin.listen = [::]:7480"), "{lines:?}");
    }
    assert_eq!(admin(&[certificate, token]), [""; 0]);
}

#[test]
fn what_others_put_into_the_environment_is_no_mistake() {
    let variables = [
        ("ANSWERBACK_TOKEN", "secret"),
        ("ANSWERBACK_SEED", "7"),
        ("ANSWERBACK_GATEWAY_LISTEN", ""),
        ("ANSWERBACK_SOMETHING", "1"),
        ("HOME", "/"),
    ];
    let resolved = resolve("", &variables, &NEEDED).unwrap();
    let of_names: Vec<_> =
        resolved.warnings.iter().filter(|line| line.starts_with("ANSWERBACK_")).collect();
    assert_eq!(
        of_names,
        ["ANSWERBACK_SOMETHING: unknown setting; docs/CONFIGURATION.md lists all"]
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let warned = |arguments: &[&str]| {
        resolve("", &[], &[&NEEDED[..], arguments].concat()).unwrap().warnings.join("\n")
    };
    let plain = ["--set", "gateway.plaintext=everywhere", "--listen"];
    assert!(!warned(&[&plain[..], &["[::1]:0"]].concat()).contains("no TLS"));
    assert!(warned(&[&plain[..], &["0.0.0.0:0"]].concat()).contains("there is no TLS"));
    assert!(warned(&["--disk-reserve-mib", "1000000000"]).contains("no new message"));
    assert!(!warned(&["--disk-reserve-mib", "0"]).contains("no new message"));
    assert!(warned(&["--cores", "8", "--partitions", "4"]).contains("the rest is idle"));
    assert!(warned(&["--cpu-list", "0,1023"]).contains("no processor 1023"));
    assert!(warned(&["--connections-max", "10000000"]).contains("LimitNOFILE"));
    assert!(!warned(&[]).contains("LimitNOFILE"));
}

#[test]
fn paths_of_a_file_begin_at_the_file() {
    let mut mistakes = Vec::new();
    let text = "[box]\ndata = \"data\"\njwks = \"/keys/jwks.json\"\nticket_keys = \"auto\"\n\
                jwks_ca = \"none\"\n[gateway]\ntls_key = \"a.key\"\n";
    let place = Path::new("/etc/answerback/box.toml");
    let said = file::parse(place, text, &mut mistakes);
    let texts: Vec<_> = said.iter().map(|said| said.text.as_str()).collect();
    let wanted =
        ["/etc/answerback/data", "/keys/jwks.json", "auto", "none", "/etc/answerback/a.key"];
    assert_eq!(texts.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(wanted));
    let url = "https://id.example.org/keys";
    let said = file::parse(place, &format!("[box]\njwks = \"{url}\"\n"), &mut mistakes);
    assert_eq!(said.first().map(|said| said.text.as_str()), Some(url), "a URL is no path");
    assert_eq!(mistakes, []);
}

#[test]
fn a_reload_takes_what_a_running_box_can_change() {
    let running = resolve("", &[], &NEEDED).unwrap().configuration;
    let arguments = ["--log-level", "debug", "--listen", "127.0.0.1:1", "--disk-reserve-mib", "7"];
    let said = resolve("", &[], &[&NEEDED[..], &arguments].concat()).unwrap().configuration;
    let change = Change::between(&running, &said);
    assert_eq!(change.taken, ["box.disk_reserve_mib", "log.level"]);
    assert_eq!(change.pending, ["gateway.listen"]);
    assert_eq!(change.configuration.disk_reserve_mib, Some(7));
    assert_eq!(change.configuration.gateway.listen, running.gateway.listen);
    let again = Change::between(&change.configuration, &said);
    assert_eq!((again.taken.len(), again.pending), (0, vec!["gateway.listen"]));
}

#[test]
fn only_a_near_name_is_meant() {
    let names = ["gateway.listen", "box.data"];
    assert_eq!(nearest("gateway.lisen", names), Some("gateway.listen"));
    assert_eq!(nearest("box.date", names), Some("box.data"));
    assert_eq!(nearest("something", names), None);
    assert_eq!(nearest("lag", ["log"]), Some("log"));
    assert_eq!(nearest("bag", ["log"]), None);
}

fn page(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn the_page_says_what_the_table_says() {
    let (_, text) = page("CONFIGURATION.md");
    let behind = text.split_once("<!-- settings -->\n").unwrap().1;
    let tables = behind.split_once("<!-- end of settings -->").unwrap().0;
    assert!(tables == expected_tables(), "docs/CONFIGURATION.md must have:\n{}", expected_tables());
}

fn expected_tables() -> String {
    let defaults = Configuration::default();
    let mut text = String::new();
    for section in sections() {
        let _ = writeln!(text, "\n### [{section}]\n");
        text.push_str("| key, environment, flag | default | allowed | reload | meaning |\n");
        text.push_str("|---|---|---|---|---|\n");
        for key in KEYS.iter().filter(|key| key.section() == section) {
            let flag = key.flag.map_or(String::new(), |(flag, _)| format!("<br>`--{flag}`"));
            let default = key.show(&defaults);
            let default = if key.is_required { "required" } else { default.as_str() };
            let reload = if key.reloads { "yes" } else { "restart" };
            let _ = writeln!(
                text,
                "| `{}`<br>`{}`{flag} | {default} | {} | {reload} | {} |",
                key.name,
                key.environment(),
                key.allowed,
                key.meaning,
            );
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_example_has_each_key_with_its_default() {
    let (path, text) = page("answerback.toml");
    let mut commented = 0;
    let all: String = text
        .lines()
        .map(|line| {
            let setting = line.strip_prefix('#').filter(|line| line.contains(" = "));
            commented += usize::from(setting.is_some());
            format!("{}\n", setting.unwrap_or(line))
        })
        .collect();
    let mut mistakes = Vec::new();
    let said = file::parse(&path, &all, &mut mistakes);
    assert_eq!(mistakes, []);
    let names: Vec<_> = said.iter().map(|said| said.key.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), KEYS.len(), "{names:?}");
    let defaults = Configuration::default();
    for said in said.iter().filter(|said| !said.key.is_required) {
        assert_eq!(said.text, said.key.show(&defaults), "{:?}", said.key);
    }
    let required = KEYS.iter().filter(|key| key.is_required).count();
    assert_eq!(commented, KEYS.len() - required, "only what a box needs is not a comment");
}
