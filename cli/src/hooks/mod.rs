//! What the operator's own servers are told, over HTTP: that a user has to be woken, or was
//! reported.
//!
//! ```text
//! cores ──Wake────► bounded ──► "hooks-push": each user once, batched, signed ──POST──► hooks.push_url
//! cores ──Report──► bounded ──► "hooks-report": one by one, signed ──POST──► hooks.report_url
//!       ◄──Done, Declined──────┘
//! ```
//! A core waits for nobody: what finds no room is counted and dropped. The thread alone waits for
//! the server, tries again for as long as a wake is worth anything, and says so where it fails.
//! docs/HOOKS.md has the form.

mod figures;
mod post;
mod push;
mod reports;
mod secret;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use answerback_directory::shard::Wake;
use answerback_gateway::Hooks;
use answerback_proto::id::UserId;

use self::post::Post;
use self::push::Pusher;
use self::secret::HookSecret;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::credentials::Watched;
use crate::exit::Failure;
use crate::web::Url;

pub(crate) use figures::{HookFigures, HooksView};

/// Wakes that cores may leave while the thread waits for the server.
const WAKES_LEFT_MAX: usize = 16 * 1024;
/// Reports that wait for the server; further ones are declined.
const REPORTS_LEFT_MAX: usize = 256;
/// An orderly stop waits as long for what is still to be told.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// Whom a box tells, and how.
#[derive(Clone, Debug)]
pub(crate) struct HookSettings {
    /// The push service; none: nobody is woken.
    pub(crate) push_url: Option<Url>,
    /// Who looks at reports; none: nobody does.
    pub(crate) report_url: Option<Url>,
    /// What requests are signed with.
    pub(crate) secret_file: Option<PathBuf>,
    /// Who vouches for the servers; none: who vouches for the web.
    pub(crate) authorities: Option<PathBuf>,
    /// How long a request may take.
    pub(crate) timeout_ms: u64,
    /// Users in a request.
    pub(crate) push_batch_max: usize,
    /// Users who may wait to be told of.
    pub(crate) push_queue_max: usize,
}

impl Default for HookSettings {
    fn default() -> Self {
        Self {
            push_url: None,
            report_url: None,
            secret_file: None,
            authorities: None,
            timeout_ms: 5000,
            push_batch_max: 256,
            push_queue_max: 65_536,
        }
    }
}

impl HookSettings {
    /// Whether anybody is told anything.
    pub(crate) fn is_any(&self) -> bool {
        self.push_url.is_some() || self.report_url.is_some()
    }

    /// Reads the secret, to see whether it is of use.
    pub(crate) fn check_secret(&self) -> Result<(), Failure> {
        self.secret_file.as_deref().map_or(Ok(()), |path| HookSecret::read(path).map(drop))
    }
}

/// The threads that tell, and where they are told.
pub(crate) struct HookThreads {
    outlet: Hooks,
    view: HooksView,
    secret: Option<HookSecret>,
    push: Option<Ending>,
}

/// How a thread is asked to end.
struct Ending {
    is_ending: Arc<AtomicBool>,
    poke: SyncSender<Wake>,
    ended: Receiver<()>,
}

impl HookThreads {
    /// Starts what the settings want.
    ///
    /// # Errors
    /// A secret or certificates that are of no use.
    pub(crate) fn start(configuration: &Configuration, clock: Clock) -> Result<Self, Failure> {
        let settings = &configuration.hooks;
        let secret = match &settings.secret_file {
            Some(path) if settings.is_any() => Some(HookSecret::read(path)?),
            _ => None,
        };
        let (mut outlet, view) = (Hooks::default(), HooksView::default());
        let mut push = None;
        if let (Some(url), Some(secret)) = (&settings.push_url, &secret) {
            let (left, taken) = sync_channel(WAKES_LEFT_MAX);
            let post = Post::new(url, settings, secret.clone())?;
            let is_ending = Arc::new(AtomicBool::new(false));
            let ends = (Arc::clone(&is_ending), taken);
            let pusher = Pusher::new(post, settings, clock, ends, view.clone());
            let (told, ended) = channel();
            let named = thread::Builder::new().name("hooks-push".to_owned());
            named.spawn(move || {
                pusher.run();
                drop(told);
            })?;
            push = Some(Ending { is_ending, poke: left.clone(), ended });
            outlet = outlet.with_wakes(left);
        }
        if let (Some(url), Some(secret)) = (&settings.report_url, &secret) {
            let (left, taken) = sync_channel(REPORTS_LEFT_MAX);
            let (post, view) = (Post::new(url, settings, secret.clone())?, view.clone());
            let named = thread::Builder::new().name("hooks-report".to_owned());
            // It ends with the process: whoever has no answer then reports again.
            named.spawn(move || reports::run(&post, &taken, &view))?;
            outlet = outlet.with_reports(left);
        }
        view.watch(outlet.clone());
        Ok(Self { outlet, view, secret, push })
    }

    /// Where cores leave what is to be told.
    pub(crate) fn outlet(&self) -> Hooks {
        self.outlet.clone()
    }

    /// What there is to see.
    pub(crate) fn view(&self) -> HooksView {
        self.view.clone()
    }

    /// The secret's file, where it has to be looked at now and then.
    pub(crate) fn watched(&self, settings: &HookSettings) -> Option<Watched> {
        let (secret, path) = (self.secret.clone()?, settings.secret_file.clone()?);
        let file = path.clone();
        let take = move || secret.renew(&file).map(|()| None);
        Some(Watched::new("what requests to hooks are signed with", vec![path], None, take))
    }

    /// The box has ended: what is left is told, once and for a moment.
    pub(crate) fn finish(self) {
        let Some(Ending { is_ending, poke, ended }) = self.push else { return };
        is_ending.store(true, Ordering::Release);
        // One that waits for nothing sees it; a full place does so by itself.
        let _ = poke.try_send(Wake { user: UserId(0), messages: 0 });
        let _ = ended.recv_timeout(FINISH_MAX);
    }
}
