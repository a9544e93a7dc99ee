//! Notices when the scripts on disk change.
//!
//! Polls modification times and sizes: that works on bind mounts and network folders, where
//! notifications do not, and costs a `stat` per script four times a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use asobi_game::logic::{FaultKind, ScriptFault};

use crate::fault::Failure;
use crate::modes::load_manifest;
use crate::settings::LuaSettings;
use crate::source::{ScriptSet, ScriptSource, Stamp, list};

/// How often the folder is looked at.
const POLL: Duration = Duration::from_millis(250);

/// Watches a game folder until it is dropped.
pub struct ScriptWatcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ScriptWatcher {
    /// Starts watching `source`'s folder. `changed` is told of every new set after it was
    /// published, on the watcher's thread; [`ScriptSet::faults`] says whether the files on disk
    /// load. Files that do not are not published: matches go on with the last ones that did.
    pub fn start(
        source: ScriptSource,
        settings: LuaSettings,
        changed: impl Fn(&Arc<ScriptSet>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("scripts".into())
            .spawn(move || {
                let mut watch = Watch::new(source, settings);
                while stopped.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                    if let Some(set) = watch.poll() {
                        changed(&set);
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for ScriptWatcher {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watch {
    source: ScriptSource,
    settings: LuaSettings,
    stamps: BTreeMap<String, Stamp>,
    /// Faults of files that did not load at the last look: they get a second one before anybody
    /// hears of it, because a half-written file looks just like a broken one.
    suspect: bool,
}

impl Watch {
    fn new(source: ScriptSource, settings: LuaSettings) -> Self {
        // No stamps: whatever was saved since the source was read is found at the first look.
        Self {
            source,
            settings,
            stamps: BTreeMap::new(),
            suspect: false,
        }
    }

    fn poll(&mut self) -> Option<Arc<ScriptSet>> {
        let root = self.source.root()?.to_owned();
        // A folder that cannot be read this moment is read the next.
        let stamps = list(&root).ok()?;
        if stamps == self.stamps && !self.suspect {
            return None;
        }
        let set = Arc::new(ScriptSet::read(&root).ok()?);
        self.stamps = stamps;
        let current = self.source.current();
        if set.differing(&current).is_empty() && current.faults().is_empty() {
            self.suspect = false;
            return None;
        }
        match self.check(&set) {
            Ok(()) => {
                self.suspect = false;
                Some(self.source.publish((*set).clone()))
            }
            Err(_) if !self.suspect => {
                self.suspect = true;
                None
            }
            Err(faults) => {
                self.suspect = false;
                Some(self.source.publish(current.with_faults(faults)))
            }
        }
    }

    /// Whether every script compiles and every mode's script loads.
    fn check(&self, set: &Arc<ScriptSet>) -> Result<(), Vec<ScriptFault>> {
        let lua = mlua::Lua::new();
        let broken: Vec<ScriptFault> = set
            .iter()
            .filter_map(|(path, text)| {
                let error = crate::require::compile(&lua, path, text).err()?;
                Some(Failure::from_error(&error).into_fault("reload", path, None))
            })
            .collect();
        if !broken.is_empty() {
            return Err(broken);
        }
        load_manifest(set, &self.settings)
            .map(drop)
            .map_err(|faults| {
                faults
                    .into_iter()
                    .map(|f| ScriptFault {
                        callback: "reload".into(),
                        kind: FaultKind::LoadError,
                        ..f
                    })
                    .collect()
            })
    }
}
