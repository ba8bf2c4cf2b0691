//! Reports on disk, one file each, until they are delivered.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{Lock, Report};

#[derive(Clone, Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    lock: Lock,
}

/// As it lies on disk. The body is JSON itself, and kept to the byte: it is what was signed.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    url: String,
    body: String,
    /// Locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Spool {
    pub fn new(directory: &Path, lock: Lock) -> Self {
        Self { directory: directory.to_owned(), lock }
    }

    /// Whole or not at all: a file with a half of it would be worse than none.
    pub fn keep(&self, report: &Report) -> io::Result<()> {
        let locked = |secret| self.lock.lock(secret, &place(&report.id, &report.url)).ok_or_else(no_lock);
        let kept = Kept {
            secret: report.secret.as_ref().map(locked).transpose()?,
            id: report.id.clone(),
            url: report.url.to_string(),
            body: String::from_utf8_lossy(&report.body).into_owned(),
        };
        let path = self.path(&report.id);
        let unfinished = path.with_extension("tmp");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // somebody's conversation
        let mut file = options.open(&unfinished)?;
        file.write_all(serde_json::to_string(&kept)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(unfinished, path)
    }

    pub fn forget(&self, id: &str) -> io::Result<()> {
        fs::remove_file(self.path(id))
    }

    /// What was left by an earlier process, the oldest names first.
    pub fn left(&self) -> io::Result<Vec<Report>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.directory)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        paths.sort();
        let read = |path: &PathBuf| -> Option<Report> {
            let Kept { id, url, body, secret } =
                serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            let url = Url::parse(&url).ok()?;
            // A file that somebody else put there is not sent anywhere.
            (self.path(&id) == *path).then_some(())?;
            let secret = match secret.map(|secret| self.lock.open(&secret, &place(&id, &url))) {
                Some(None) => {
                    warn!(report = id, "{STRANGE_LOCK}");
                    return None;
                }
                opened => opened.flatten(),
            };
            Some(Report { id, url, body: Bytes::from(body), secret })
        };
        Ok(paths.iter().filter_map(read).take(MOST).collect())
    }

    /// Ids are ours, of letters, digits and `_`; nothing else gets into a path.
    fn path(&self, id: &str) -> PathBuf {
        let name: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.directory.join(format!("{name}.json"))
    }
}

/// What a secret belongs to.
fn place(id: &str, url: &Url) -> String {
    format!("{id} {url}")
}

fn no_lock() -> io::Error {
    io::Error::other(
        "a report with a secret of its own is not kept on disk without RELAY_SECRET to lock it with",
    )
}

const STRANGE_LOCK: &str = "a report in REPORT_SPOOL_DIR has its secret locked with another RELAY_SECRET and stays there: \
    start once with the old one beside the new (`kid=secret,kid=secret`)";

/// At once after a start; the rest waits for the next one.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outward::report_secret::ReportSecret;

    #[test]
    fn what_is_kept_is_found_again_and_rubbish_is_not() {
        let directory = std::env::temp_dir().join(format!("patchcord-spool-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let secrets = ["old-secret-of-thirty-two-bytes-and", "new-secret-of-thirty-two-bytes-and"];
        let [old, new] = secrets.map(secrecy::SecretString::from);
        let spool = Spool::new(&directory, Lock::new([&old]));
        let own = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let report = |id: &str| Report {
            secret: id.ends_with('a').then(|| ReportSecret::parse(own).unwrap()),
            id: id.into(),
            url: Url::parse("https://app.example.com/report").unwrap(),
            body: Bytes::from("{\"a\":\"é\"}"),
        };
        spool.keep(&report("call_b")).unwrap();
        spool.keep(&report("call_a")).unwrap();
        spool.keep(&report("call_a")).unwrap();
        fs::write(directory.join("rubbish.json"), "{").unwrap();
        fs::write(directory.join("call_c.tmp"), "{").unwrap();
        fs::copy(directory.join("call_a.json"), directory.join("other.json")).unwrap();
        assert_eq!(spool.left().unwrap(), [report("call_a"), report("call_b")]);
        let text = fs::read_to_string(directory.join("call_a.json")).unwrap();
        assert!(!text.contains("AAECAwQ"), "{text}");
        let after = Spool::new(&directory, Lock::new([&new]));
        assert_eq!(after.left().unwrap(), [report("call_b")], "the other one waits for its key");
        let without = Spool::new(&directory, Lock::new([]));
        assert!(without.keep(&report("call_a")).is_err() && without.keep(&report("call_b")).is_ok());
        assert_eq!(spool.left().unwrap(), [report("call_a"), report("call_b")]);
        spool.forget("call_a").unwrap();
        assert_eq!(spool.left().unwrap(), [report("call_b")]);
        assert!(spool.path("../../etc/x").starts_with(&directory));
        fs::remove_dir_all(&directory).unwrap();
    }
}
