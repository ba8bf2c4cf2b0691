//! Text to values, one rule a function. What does not fit is noted and replaced by the default, so that the
//! next variable is looked at as well.

use std::{
    fs::File,
    io::Read,
    net::IpAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{BaseUrl, LogFormat, Problems, Provider, Secret, address};
use wire::carrier::CARRIERS;

use crate::costs::{Faults, Prices};

pub struct Check<'a> {
    problems: &'a mut Problems,
}

impl<'a> Check<'a> {
    pub fn new(problems: &'a mut Problems) -> Self {
        Self { problems }
    }

    pub fn problem(&mut self, name: &str, fault: &str, cure: &str) {
        self.problems.add(name, fault, cure);
    }

    pub fn names(&self, name: &str) -> bool {
        self.problems.names(name)
    }

    /// A secret from its variable, or from the file that another variable names.
    pub fn text_or_file(
        &mut self,
        name: &str,
        text: Option<Secret>,
        file_name: &str,
        file: Option<String>,
    ) -> Option<Secret> {
        let Some(file) = file else { return text };
        if text.is_some() {
            self.problems.add(file_name, format_args!("is set besides {name}"), "set only one of the two");
            return text;
        }
        read_file(Path::new(&file))
            .inspect_err(|error| {
                let cure = "check that the file is there, and that this user may read it";
                self.problems.add(file_name, unreadable(error), cure);
            })
            .ok()
    }

    /// `carrier` signs with the key `name`, and what it signs begins with our public address.
    pub fn signature(&mut self, name: &str, carrier: &str, public_url: bool) {
        if !public_url && !self.problems.names("PUBLIC_URL") {
            let cure =
                format!("set it to the address that {carrier} calls, such as https://relay.example.com");
            self.problems.add("PUBLIC_URL", format!("is missing, and {name} needs it"), &cure);
        }
    }

    /// 0 lets the system choose, which is right for tests and several demos on one machine.
    pub fn port(&mut self, name: &str, text: Option<String>, default: u16) -> u16 {
        self.number(name, text, default.into(), 0..=u16::MAX.into()) as u16
    }

    pub fn different(&mut self, (port, ops_port): (u16, u16)) {
        if port == ops_port && port != 0 {
            let cure = "give it a port of its own that is not public";
            self.problems.add("OPS_PORT", "is the same as PORT", cure);
        }
    }

    pub fn number(
        &mut self,
        name: &str,
        text: Option<String>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(text) = text else { return default };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let cure = format!("write a whole number from {} to {}", range.start(), range.end());
                self.problems.add(name, "is not a number that fits", cure);
                default
            }
        }
    }

    pub fn seconds(
        &mut self,
        name: &str,
        text: Option<String>,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(name, text, default, range))
    }

    pub fn flag(&mut self, name: &str, text: Option<String>, default: bool) -> bool {
        match text.as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.problems.add(name, "is neither true nor false", "write true or false");
                default
            }
        }
    }

    pub fn address(&mut self, name: &str, text: Option<String>, default: IpAddr) -> IpAddr {
        let Some(text) = text else { return default };
        text.trim_start_matches('[').trim_end_matches(']').parse().unwrap_or_else(|_| {
            self.problems.add(name, "is not an IP address", "write an address such as :: or 127.0.0.1");
            default
        })
    }

    pub fn url(&mut self, name: &str, text: Option<String>) -> Option<BaseUrl> {
        match BaseUrl::parse(&text?) {
            Ok(url) => Some(url),
            Err(fault) => {
                let cure = "write an address such as https://relay.example.com (http only for this machine)";
                self.problems.add(name, fault, cure);
                None
            }
        }
    }

    pub fn provider(
        &mut self,
        name: &str,
        url: Option<String>,
        key: Option<Secret>,
        default: &str,
    ) -> Provider {
        let base_url = self.url(name, url);
        let default = || BaseUrl::parse(default).expect("the vendors' own addresses are valid");
        Provider { key, base_url: base_url.unwrap_or_else(default) }
    }

    pub fn origins(&mut self, name: &str, text: Option<String>) -> Vec<String> {
        self.list(name, text, address::origin, "write origins such as https://app.example.com, with commas")
    }

    /// Without a list all of them; but where Twilio has to sign its upgrades nobody else gets in without a signature.
    pub fn carriers(&mut self, name: &str, text: Option<String>, signed: &[&str]) -> Vec<String> {
        let all = || CARRIERS.iter().map(|carrier| carrier.name.to_owned());
        let cure = format!("write some of {}, with commas", all().collect::<Vec<_>>().join(", "));
        let known = |text: &str| {
            let name = text.to_ascii_lowercase();
            wire::carrier::carrier(&name).map(|carrier| carrier.name.to_owned())
        };
        match text {
            Some(text) => self.list(name, Some(text), known, &cure),
            None if signed.is_empty() => all().collect(),
            None => signed.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    pub fn hosts(&mut self, name: &str, text: Option<String>) -> Vec<String> {
        let cure = "write host names such as my.openai.azure.com, with commas";
        self.list(name, text, address::host_name, cure)
    }

    pub fn directory(&mut self, name: &str, text: Option<String>) -> Option<PathBuf> {
        let path = PathBuf::from(text?);
        if !path.is_dir() {
            self.problems.add(name, "is not a directory", "create it, or remove the variable");
        }
        Some(path)
    }

    /// The relay's own prices, and those of the file over them.
    pub fn prices(&mut self, name: &str, file: Option<String>) -> Prices {
        let own = Prices::default();
        let Some(file) = file else { return own };
        let cure = "its form is that of src/costs/prices.json, and docs/reports.md explains it";
        let read = text(Path::new(&file)).map_err(|error| Faults(vec![unreadable(&error)]));
        match read.and_then(|text| own.clone().overlaid(&text)) {
            Ok(prices) => prices,
            Err(Faults(faults)) => {
                faults.iter().for_each(|fault| self.problems.add(name, fault, cure));
                own
            }
        }
    }

    /// `Targets` alone would take `inof` for the name of a module and then log everything of it.
    pub fn log(&mut self, name: &str, text: Option<String>) -> Targets {
        let text = text.unwrap_or_else(|| "info".to_owned());
        let fits = text.split(',').map(str::trim).all(|part| match part.split_once('=') {
            Some((target, level)) => !target.is_empty() && LevelFilter::from_str(level).is_ok(),
            None => LevelFilter::from_str(part).is_ok(),
        });
        match Targets::from_str(&text) {
            Ok(targets) if fits => targets,
            _ => {
                let cure = "write a level (error, warn, info, debug, trace, off), with modules if you \
                            like: info,patchcord=debug";
                self.problems.add(name, "is not a level or a list of them", cure);
                Targets::new().with_default(LevelFilter::INFO)
            }
        }
    }

    pub fn log_format(&mut self, name: &str, text: Option<String>) -> LogFormat {
        match text.as_deref() {
            None => LogFormat::ByTerminal,
            Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(_) => {
                self.problems.add(name, "is not a known format", "write text or json");
                LogFormat::ByTerminal
            }
        }
    }

    pub fn list(
        &mut self,
        name: &str,
        text: Option<String>,
        rule: impl Fn(&str) -> Option<String>,
        cure: &str,
    ) -> Vec<String> {
        let text = text.unwrap_or_default();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let checked: Option<Vec<String>> = entries.map(rule).collect();
        checked.unwrap_or_else(|| {
            self.problems.add(name, "has an entry that does not fit", cure);
            Vec::new()
        })
    }
}

fn read_file(path: &Path) -> std::io::Result<Secret> {
    Ok(Secret::new(text(path)?.trim()))
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST_FILE).read_to_string(&mut text)?;
    Ok(text)
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot be read ({})", error.kind())
}

/// Far above any secret, key set or price table; a wrong path must not fill the memory.
const LONGEST_FILE: u64 = 1 << 20;
