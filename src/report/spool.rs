//! Reports on disk, one file each, until they are delivered.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::Report;

#[derive(Clone, Debug)]
pub(super) struct Spool(PathBuf);

/// As it lies on disk. The body is JSON itself, and kept to the byte: it is what was signed.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    url: String,
    body: String,
}

impl Spool {
    pub fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Whole or not at all: a file with a half of it would be worse than none.
    pub fn keep(&self, report: &Report) -> io::Result<()> {
        let kept = Kept {
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
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.0)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        paths.sort();
        let read = |path: &PathBuf| -> Option<Report> {
            let Kept { id, url, body } = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
            let url = Url::parse(&url).ok()?;
            // A file that somebody else put there is not sent anywhere.
            (self.path(&id) == *path).then(|| Report { id, url, body: Bytes::from(body) })
        };
        Ok(paths.iter().filter_map(read).take(MOST).collect())
    }

    /// Ids are ours, of letters, digits and `_`; nothing else gets into a path.
    fn path(&self, id: &str) -> PathBuf {
        let name: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.0.join(format!("{name}.json"))
    }
}

/// At once after a start; the rest waits for the next one.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_rubbish_is_not() {
        let directory = std::env::temp_dir().join(format!("patchcord-spool-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let spool = Spool::new(&directory);
        let report = |id: &str| Report {
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
        spool.forget("call_a").unwrap();
        assert_eq!(spool.left().unwrap(), [report("call_b")]);
        assert!(spool.path("../../etc/x").starts_with(&directory));
        fs::remove_dir_all(&directory).unwrap();
    }
}
