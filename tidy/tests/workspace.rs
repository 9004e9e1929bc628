//! The checks, over the workspace as it stands.

use answerback_tidy::workspace::Workspace;
use answerback_tidy::{edges, modules, text, unsafety};

macro_rules! checks {
    ($($name:ident: $check:path;)*) => {
        $(
            #[test]
            fn $name() {
                let workspace = Workspace::load().unwrap();
                assert!(workspace.packages.len() > 5, "cargo describes the workspace");
                assert!(workspace.files.len() > 20, "the walk finds the workspace's files");
                let findings = $check(&workspace);
                assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
            }
        )*
    };
}

checks! {
    crates_know_only_whom_the_design_lets_them: edges::unknown_edges;
    the_world_is_touched_only_by_its_owners: edges::foreign_adapters;
    pure_crates_are_pure: edges::impurities;
    every_file_is_named_by_a_module: modules::unreferenced_files;
    every_file_says_what_it_is: modules::undocumented_files;
    nothing_is_left_unfinished: text::leftovers;
    every_test_runs: text::switched_off_tests;
    no_file_is_overlong: text::overlong_files;
    no_path_is_one_machines: text::machine_paths;
    unsafe_code_is_forbidden_where_none_is_needed: unsafety::needless_permissions;
    unsafe_code_says_why_it_is_sound: unsafety::unproved_places;
    the_changelog_has_a_place_for_what_is_new: text::missing_unreleased_section;
}
