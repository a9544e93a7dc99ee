//! The game folder: every script of it, read into memory at once.
//!
//! A [`ScriptSet`] never changes, so a match that loads ten modules loads ten files of the same
//! moment, and no script reads a file itself. A [`ScriptSource`] is the handle everyone shares
//! to "the scripts as they are now".

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use asobi_game::logic::ScriptFault;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 16;
/// Most scripts a game may have.
const MAX_FILES: usize = 4096;
/// Largest script, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Why a game folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder has no entry point.
    #[error("{} has neither match.lua nor config.lua (looked there, in game/ and in lua/)", .0.display())]
    NoEntryPoint(PathBuf),
    /// The folder is larger than any game should be.
    #[error("{}: {}", .0.display(), .1)]
    TooLarge(PathBuf, &'static str),
    /// The folder could not be read.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

/// All scripts of a game at one moment.
#[derive(Clone, Debug, Default)]
pub struct ScriptSet {
    version: u64,
    files: BTreeMap<String, Arc<[u8]>>,
    faults: Vec<ScriptFault>,
}

impl ScriptSet {
    /// A set from texts, for tests and for games that are not in a folder.
    pub fn from_files<P: Into<String>, T: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.into(), text.as_ref().into()))
            .collect();
        Self {
            version: 0,
            files,
            faults: Vec::new(),
        }
    }

    /// Reads every `.lua` file under `root`. Symbolic links are not followed: a script comes
    /// from the game folder or not at all.
    pub fn read(root: &Path) -> Result<Self, SourceError> {
        let mut files = BTreeMap::new();
        for (path, _) in list(root)? {
            let full = root.join(&path);
            let bytes = fs::read(&full).map_err(|e| SourceError::Io(full, e))?;
            files.insert(path, bytes.into());
        }
        Ok(Self {
            version: 0,
            files,
            faults: Vec::new(),
        })
    }

    /// Grows with every change of the folder.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What is wrong with the files on disk, when they do not load: this set then holds the last
    /// ones that did.
    pub fn faults(&self) -> &[ScriptFault] {
        &self.faults
    }

    /// A script's text by its path inside the folder, `bots/chaser.lua`.
    pub fn get(&self, path: &str) -> Option<&Arc<[u8]>> {
        self.files.get(path)
    }

    /// Every script's path and text, in order of path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), &text[..]))
    }

    /// The scripts that are not the same in `other`, or not in both.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let changed = self
            .iter()
            .filter(|(path, text)| other.get(path).is_none_or(|t| t[..] != **text));
        let removed = other.iter().filter(|(path, _)| self.get(path).is_none());
        changed.chain(removed).map(|(path, _)| path).collect()
    }

    /// The same scripts with these faults.
    pub(crate) fn with_faults(&self, faults: Vec<ScriptFault>) -> Self {
        Self {
            faults,
            ..self.clone()
        }
    }
}

/// What tells a changed file from an unchanged one. Works on bind mounts, where notifications
/// do not.
pub(crate) type Stamp = (Option<SystemTime>, u64);

/// The scripts under `root` with their stamps, `/` between folders whatever the platform.
pub(crate) fn list(root: &Path) -> Result<BTreeMap<String, Stamp>, SourceError> {
    let mut found = BTreeMap::new();
    walk(root, "", 0, &mut found)?;
    Ok(found)
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut BTreeMap<String, Stamp>,
) -> Result<(), SourceError> {
    let fail = |e| SourceError::Io(folder.to_owned(), e);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // The kind of the entry itself: a symbolic link is neither a file nor a folder.
        let kind = entry.file_type().map_err(fail)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|n| !n.starts_with('.')) else {
            continue;
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &format!("{prefix}{name}/"), depth + 1, found)?;
        } else if kind.is_file() && name.ends_with(".lua") {
            // A file deleted since the listing is simply gone.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.len() > MAX_FILE_BYTES {
                return Err(SourceError::TooLarge(
                    entry.path(),
                    "a script may have 4 MiB",
                ));
            }
            found.insert(
                format!("{prefix}{name}"),
                (meta.modified().ok(), meta.len()),
            );
            if found.len() > MAX_FILES {
                return Err(SourceError::TooLarge(
                    folder.to_owned(),
                    "a game may have 4096 scripts",
                ));
            }
        }
    }
    Ok(())
}

/// A shared handle to a game's scripts as they are now.
#[derive(Clone, Debug)]
pub struct ScriptSource(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: Option<PathBuf>,
    version: AtomicU64,
    current: RwLock<Arc<ScriptSet>>,
}

impl ScriptSource {
    /// Reads the game in `dir`: the folder itself, or its `game` or `lua` folder, whichever has
    /// `config.lua` or `match.lua`.
    pub fn open(dir: &Path) -> Result<Self, SourceError> {
        let root = find_root(dir).ok_or_else(|| SourceError::NoEntryPoint(dir.to_owned()))?;
        let set = ScriptSet::read(&root)?;
        Ok(Self::build(Some(root), set))
    }

    /// A source that is not a folder; it changes by [`ScriptSource::publish`] only.
    pub fn fixed(set: ScriptSet) -> Self {
        Self::build(None, set)
    }

    fn build(root: Option<PathBuf>, mut set: ScriptSet) -> Self {
        set.version = 1;
        Self(Arc::new(Shared {
            root,
            version: AtomicU64::new(1),
            current: RwLock::new(Arc::new(set)),
        }))
    }

    /// The folder the scripts are read from.
    pub fn root(&self) -> Option<&Path> {
        self.0.root.as_deref()
    }

    /// The version of [`ScriptSource::current`], cheap enough to ask at every tick.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// The scripts as they are now.
    pub fn current(&self) -> Arc<ScriptSet> {
        self.0
            .current
            .read()
            .unwrap_or_else(|e| e.into_inner())
            .clone()
    }

    /// Makes `set` the current scripts, under the next version number.
    pub fn publish(&self, mut set: ScriptSet) -> Arc<ScriptSet> {
        let mut current = self.0.current.write().unwrap_or_else(|e| e.into_inner());
        set.version = current.version + 1;
        let set = Arc::new(set);
        *current = set.clone();
        self.0.version.store(set.version, Ordering::Release);
        set
    }
}

fn find_root(dir: &Path) -> Option<PathBuf> {
    [dir.to_owned(), dir.join("game"), dir.join("lua")]
        .into_iter()
        .find(|d| d.join("config.lua").is_file() || d.join("match.lua").is_file())
}
