//! Benchmarks of the parts, each in a file of `benches/`; here is only how counts of
//! instructions are compared.
//!
//! `make bench` runs them all, `cargo bench -p answerback-benches --bench ring` one of them;
//! with `-- --test` behind it each case runs once, as in `make test`, to see that it works.
//!
//! Figures are ratios within one run: a machine's noise is ±30 %, and worse beside a
//! build. What a whole box costs is `answerback bench`, not a sum of these.

pub mod ratchet;
