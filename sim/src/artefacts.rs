//! The folder a run leaves behind, `<out>/<scenario>/<UTC stamp>-<seed>/`, and that of a comparison, `<out>/<scenario>/<UTC
//! stamp>/`. It is written under a hidden name and renamed when it is whole, so nobody ever finds half a report; `latest` points
//! to the newest run, `latest-compare` to the newest comparison. Also single files that are replaced as one. Leaves the files'
//! content to others.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// How many runs of one scenario and seed may begin within one second.
const SAME_SECOND_MAX: usize = 1000;

/// A folder that is still being filled. Dropped before [`Draft::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    /// `<out>/<scenario>`.
    home: PathBuf,
    /// The hidden folder inside `home`; empty once it was published.
    hidden: PathBuf,
    /// What it will be called.
    name: String,
    /// The link to the newest of its kind.
    latest: &'static str,
}

/// The system refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct ArtefactError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Draft {
    /// Makes room for a run that began at `stamp` (`20260314T092653Z`). Called before the run, so that a folder that cannot
    /// be written costs nobody half a minute.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn of_run(out: &Path, scenario: &str, stamp: &str, seed: u64) -> Result<Self, ArtefactError> {
        Self::open(out.join(scenario), format!("{stamp}-{seed}"), "latest")
    }

    /// Makes room for a comparison that began at `stamp`.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn of_comparison(out: &Path, scenario: &str, stamp: &str) -> Result<Self, ArtefactError> {
        Self::open(out.join(scenario), stamp.to_owned(), "latest-compare")
    }

    fn open(home: PathBuf, name: String, latest: &'static str) -> Result<Self, ArtefactError> {
        fs::create_dir_all(&home).map_err(failed("create the folder", &home))?;
        let hidden = home.join(format!(".{name}.{}", std::process::id()));
        fs::create_dir(&hidden).map_err(failed("create the folder", &hidden))?;
        Ok(Self { home, hidden, name, latest })
    }

    /// Writes one file; `name` may hold folders.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), ArtefactError> {
        let path = self.hidden.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
        }
        let write = || {
            let mut file = fs::File::create(&path)?;
            file.write_all(content)?;
            file.sync_all()
        };
        write().map_err(failed("write", &path))
    }

    /// Gives the folder its name and points the link to it. Returns the folder's path.
    ///
    /// # Errors
    /// When it cannot be renamed or linked.
    pub fn publish(mut self) -> Result<PathBuf, ArtefactError> {
        let hidden = std::mem::take(&mut self.hidden);
        let name = self.rename(&hidden)?;
        let link = self.home.join(format!(".{}.{}", self.latest, std::process::id()));
        let latest = self.home.join(self.latest);
        // The folder is there, on the disk too, before anything points to it.
        sync(&self.home).map_err(failed("write", &self.home))?;
        point(&link, &name).map_err(failed("create the link", &link))?;
        fs::rename(&link, &latest).map_err(failed("point the link", &latest))?;
        Ok(self.home.join(name))
    }

    /// Renames to the first name that is free. Renaming a folder onto another that is not empty fails, so two processes
    /// never share one.
    fn rename(&self, hidden: &Path) -> Result<String, ArtefactError> {
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for turn in 1..=SAME_SECOND_MAX {
            let name = if turn == 1 { self.name.clone() } else { format!("{}-{turn}", self.name) };
            match fs::rename(hidden, self.home.join(&name)) {
                Ok(()) => return Ok(name),
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
                    ) =>
                {
                    last = e;
                }
                Err(e) => return Err(failed("rename", hidden)(e)),
            }
        }
        Err(failed("rename", hidden)(last))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.hidden.as_os_str().is_empty() {
            // Nothing can be done about a folder that will not go; its hidden name says what it is.
            let _ = fs::remove_dir_all(&self.hidden);
        }
    }
}

/// Puts `content` in the place of the file `path`: whoever reads it, and whoever finds it after a crash, has the old one or
/// the new one, whole.
///
/// # Errors
/// When it cannot be written or renamed; the old one is as it was.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), ArtefactError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = folder.join(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = fs::File::create(&hidden)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&hidden, path)?;
        sync(folder)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&hidden);
        failed("write", path)(source)
    })
}

/// Makes sure that the names in a folder have reached the disk.
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// A file that grows line by line, so that what is whole survives whatever happens to the process.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: fs::File,
}

impl Journal {
    /// Begins it anew with `content`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(path: &Path, content: &str) -> Result<Self, ArtefactError> {
        replace(path, content.as_bytes())?;
        let file = fs::OpenOptions::new().append(true).open(path).map_err(failed("write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, line: &str) -> Result<(), ArtefactError> {
        self.file.write_all(line.as_bytes()).map_err(failed("write", &self.path))
    }

    /// Takes it away.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(self) -> Result<(), ArtefactError> {
        fs::remove_file(&self.path).map_err(failed("remove", &self.path))
    }
}

#[cfg(unix)]
fn point(link: &Path, to: &str) -> io::Result<()> {
    std::os::unix::fs::symlink(to, link)
}

#[cfg(not(unix))]
fn point(link: &Path, to: &str) -> io::Result<()> {
    fs::write(link, to)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArtefactError {
    let path = path.to_owned();
    move |source| ArtefactError { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: &str = "20260314T092653Z";

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_appears_whole_and_latest_follows() {
        let out = tempfile::tempdir().unwrap();
        for expected in ["20260314T092653Z-42", "20260314T092653Z-42-2"] {
            let draft = Draft::of_run(out.path(), "blue-green", STAMP, 42).unwrap();
            draft.write("charts/latency.svg", b"<svg/>").unwrap();
            assert!(!out.path().join("blue-green").join(expected).exists(), "not before it is whole");
            let path = draft.publish().unwrap();
            assert_eq!(path, out.path().join("blue-green").join(expected));
            let latest = fs::read(out.path().join("blue-green/latest/charts/latency.svg")).unwrap();
            assert_eq!(latest, b"<svg/>");
            assert_eq!(fs::read_link(out.path().join("blue-green/latest")).unwrap(), Path::new(expected));
        }
        let names = entries(&out.path().join("blue-green"));
        assert_eq!(names, ["20260314T092653Z-42", "20260314T092653Z-42-2", "latest"]);
    }

    #[test]
    fn a_comparison_leaves_the_newest_run_what_it_was() {
        let out = tempfile::tempdir().unwrap();
        Draft::of_run(out.path(), "blue-green", STAMP, 42).unwrap().publish().unwrap();
        Draft::of_comparison(out.path(), "blue-green", STAMP).unwrap().publish().unwrap();
        let home = out.path().join("blue-green");
        let points = ["latest", "latest-compare"].map(|link| fs::read_link(home.join(link)).unwrap());
        assert_eq!(points, [Path::new("20260314T092653Z-42"), Path::new("20260314T092653Z")]);
    }

    #[test]
    fn a_run_that_fails_leaves_nothing() {
        let out = tempfile::tempdir().unwrap();
        let draft = Draft::of_run(out.path(), "blue-green", STAMP, 42).unwrap();
        draft.write("report.json", b"{}").unwrap();
        drop(draft);
        assert_eq!(entries(&out.path().join("blue-green")), [""; 0]);
    }

    #[test]
    fn a_file_is_replaced_as_one_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.yaml");
        for content in ["old", "new"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(entries(folder.path()), ["state.yaml"]);
        assert!(replace(folder.path(), b"x").is_err(), "a folder is no file");
        assert_eq!(entries(folder.path()), ["state.yaml"]);
    }

    #[test]
    fn a_journal_grows_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.ndjson");
        let mut journal = Journal::begin(&path, "head\n").unwrap();
        journal.add("one\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "head\none\n");
        journal.remove().unwrap();
        assert_eq!(entries(folder.path()), [""; 0]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Draft::of_run(file.path(), "blue-green", STAMP, 42).unwrap_err().to_string();
        assert!(error.starts_with("cannot create the folder ") && error.contains("blue-green"), "{error}");
    }
}
