//! `hostnet collect`: a case in one file, for who looks into it elsewhere and later.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value as Json, json};

use super::{Usage, origin, progress, report as page, source};
use crate::{
    cli::exit_code::Exit,
    config::Config,
    query::{Filter, History, Time},
    record,
    report::{self, Facts},
    text::json,
};

/// How a case's name ends.
const ENDING: &str = ".tar.gz";

/// Pack the history, a page about it, the configuration and their hashes into one file.
///
/// The case has history.db, a copy that is whole by itself; report.html; coverage.json,
/// which says what the record lacks; config.toml, in which secrets have no place to begin
/// with and addresses lose the users they name; and manifest.json: the SHA-256 of each,
/// who packed it when and with which program, the host, the rows, and the end of the
/// chain. The agent may go on meanwhile. Only its owner may read the case.
///
/// Exits with 4 when the history is not what the agent wrote: it is packed all the same,
/// and the manifest says so.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  hostnet collect -o case-17.tar.gz
  tar -xzf case-17.tar.gz && hostnet verify --history case-17/history.db
  hostnet query --history case-17/history.db findings

The SHA-256 that is printed at the end proves later that the case is the same; write it
down where the case is not.")]
pub struct Args {
    /// Where the case goes: a new file that ends in .tar.gz.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The history [default: the configured one].
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Configuration file [default: /etc/hostnet/config.toml when it exists].
    #[arg(long, value_name = "FILE", env = "HOSTNET_CONFIG")]
    config: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<Exit> {
    let name = args.output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(case) = name.strip_suffix(ENDING).filter(|case| !case.is_empty()) else {
        let shown = args.output.display();
        return Err(Usage(anyhow!(
            "the name {shown} must end in {ENDING}, the kind of file that is written"
        ))
        .into());
    };
    let config = Config::read(args.config.as_deref()).map_err(Usage)?;
    let path = match &args.history {
        Some(path) => path.clone(),
        None => config.history.path(),
    };
    let path = source::history(Some(&path))?;
    // Before anything takes time.
    let archive = new_file(&args.output).map_err(Usage)?;
    let packed = pack(case, &path, &config, &args.output, archive);
    if packed.is_err() {
        drop(fs::remove_file(&args.output));
    }
    let is_good = packed?;
    let hash = origin::file_hash(&args.output)?;
    writeln!(std::io::stdout(), "{hash}  {}", args.output.display())?;
    Ok(if is_good { Exit::Ok } else { Exit::Partial })
}

fn new_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot make the new file {}", path.display()))
}

/// Puts everything together; whether the history is what the agent wrote.
fn pack(case: &str, path: &Path, config: &Config, to: &Path, archive: File) -> Result<bool> {
    let began = Time::now();
    let beside = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    let room = tempfile::Builder::new()
        .prefix(".hostnet-case-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(beside.unwrap_or(Path::new(".")))
        .context("cannot make a directory beside the case")?;
    let file = |name: &str| room.path().join(name);
    let copy = file("history.db");
    record::copy(path, &copy).with_context(|| format!("cannot copy {}", path.display()))?;
    let verified = origin::verified(&copy);
    let is_good = verified.is_ok();
    let origin = report::Origin { verified: Some(verified), ..origin::now(path) };
    let history = History::open(&copy)?;
    let mut facts = report::gather(&history, &Filter::default(), origin)?;
    drop(history);
    progress::done();
    facts.verdicts = page::verdicts(&facts, &copy, None)?;
    fs::write(file("report.html"), report::page::html(&facts))?;
    fs::write(file("coverage.json"), json::pretty(&coverage(&facts))?)?;
    fs::write(file("config.toml"), redacted(config)?)?;
    let names = ["report.html", "coverage.json", "config.toml", "history.db"];
    let manifest = manifest(&facts, began, room.path(), &names)?;
    fs::write(file("manifest.json"), json::pretty(&manifest)?)?;
    let mut tar = tar::Builder::new(GzEncoder::new(archive, Compression::default()));
    let modified = began.0.max(0).cast_unsigned() / 1_000_000_000;
    for name in std::iter::once("manifest.json").chain(names) {
        let mut from = File::open(file(name))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(from.metadata()?.len());
        header.set_mode(0o600);
        header.set_mtime(modified);
        tar.append_data(&mut header, format!("{case}/{name}"), &mut from)?;
    }
    tar.into_inner()?.finish()?.sync_all()?;
    Ok(is_good)
}

fn manifest(facts: &Facts, began: Time, room: &Path, names: &[&str]) -> Result<Json> {
    let origin = &facts.origin;
    let files = names.iter().map(|name| {
        let path = room.join(name);
        let bytes = fs::metadata(&path)?.len();
        Ok(json!({ "name": name, "bytes": bytes, "sha256": origin::file_hash(&path)? }))
    });
    let files: Vec<Json> = files.collect::<Result<_>>()?;
    let place = |place: &report::RowPlace| json!({ "row": place.id, "run": place.run, "sequence": place.sequence });
    Ok(json!({
        "files": files,
        "began": began,
        "ended": Time::now(),
        "operator": origin.operator,
        "command_line": origin.command_line,
        "hostnet": { "version": origin.version, "sha256": origin.binary },
        "host": { "name": facts.host.name, "id": facts.host.id, "boots": facts.host.boots },
        "history": {
            "path": origin.source,
            "id": facts.chain.as_ref().map(|chain| &chain.history),
            "events": facts.events,
            "from": facts.window.0,
            "to": facts.window.1,
            "first": facts.rows.as_ref().map(|rows| place(&rows.0)),
            "last": facts.rows.as_ref().map(|rows| place(&rows.1)),
            "chain_head": facts.chain.as_ref().map(|chain| {
                json!({ "row": chain.row, "hash": chain.hash })
            }),
            "verified": origin.verified.as_ref().is_some_and(Result::is_ok),
            "verification": origin.verified.as_ref().map(|verified| match verified {
                Ok(good) => good,
                Err(bad) => bad,
            }),
        },
    }))
}

/// What the record lacks, for a program.
fn coverage(facts: &Facts) -> Json {
    let record = &facts.record;
    json!({
        "complete": record.is_complete(),
        "runs": record.runs.iter().map(|run| json!({
            "run": run.run, "from": run.times.0, "to": run.times.1, "ended": run.has_ended,
        })).collect::<Vec<_>>(),
        "gaps": record.gaps.iter().map(|gap| json!({
            "from": gap.times.0, "to": gap.times.1, "why": gap.why, "nobody_looked": gap.is_blind,
        })).collect::<Vec<_>>(),
        "gaps_in_all": record.of,
        "operations": record.coverage.iter().map(|row| json!({
            "operation": row.operation, "hook": row.hook, "set": row.set, "state": row.state,
            "reason": row.reason,
        })).collect::<Vec<_>>(),
    })
}

/// The configuration without what could let somebody in: it never holds secrets, only
/// their places, but an address may name a user and a password, and some receivers take
/// a token in the path or the query.
fn redacted(config: &Config) -> Result<String> {
    let mut value = toml::Value::try_from(config).context("cannot write the configuration")?;
    redact(&mut value);
    toml::to_string(&value).context("cannot write the configuration")
}

fn redact(value: &mut toml::Value) {
    match value {
        toml::Value::String(text) => {
            if let Some(redacted) = redacted_address(text) {
                *text = redacted;
            }
        }
        toml::Value::Array(all) => all.iter_mut().for_each(redact),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| redact(value)),
        _ => {}
    }
}

/// An address with its scheme, host and port alone; `None` when it has nothing else, or
/// is none. A path of a file system has no secret.
fn redacted_address(text: &str) -> Option<String> {
    let (scheme, rest) = match text.split_once("://") {
        Some(("unix" | "file", _)) => return None,
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, beyond) = rest.split_at(end);
    if scheme.is_empty() {
        // `user:password@host` without a scheme, as some clients take it.
        let (user, host) = host.rsplit_once('@')?;
        return user.contains(':').then(|| format!("redacted@{host}{beyond}"));
    }
    let (user, host) = match host.rsplit_once('@') {
        Some((_, host)) => ("redacted@", host),
        None => ("", host),
    };
    let beyond = match beyond {
        "" | "/" => beyond.to_owned(),
        _ => format!("/redacted ({} bytes)", beyond.len()),
    };
    let redacted = format!("{scheme}{user}{host}{beyond}");
    (redacted != text).then_some(redacted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_or_a_query_is_not_packed() {
        for text in [
            "https://ch.example:8443/?user=ingest&password=hunter2&query=INSERT",
            "https://collector.example/receiver/v1/http/hunter2",
            "https://splunk.example:8088/services/collector/event?token=hunter2",
            "https://me:hunter2@host/a@b",
            "https://host?hunter2",
            "me:hunter2@host",
        ] {
            let redacted = redacted_address(text).unwrap();
            assert!(!redacted.contains("hunter2"), "{redacted}");
        }
        let plain =
            ["https://host:1/", "tcp://host:1", "unix:///run/x.sock", "/var/log/a@b", "a@b"];
        assert!(plain.iter().all(|text| redacted_address(text).is_none()));
        let shown = redacted_address("https://h.example:8443/x?y").unwrap();
        assert_eq!(shown, "https://h.example:8443/redacted (4 bytes)");
    }

    #[test]
    fn a_user_in_an_address_is_not_packed() {
        let text = "[a]\nurls = ['nats://me:hunter2@host:4222', 'https://host/a@b']\n";
        let mut value: toml::Value = toml::from_str(text).unwrap();
        redact(&mut value);
        let shown = toml::to_string(&value).unwrap();
        assert!(shown.contains("nats://redacted@host:4222"));
        assert!(!shown.contains("hunter2"));
    }

    #[test]
    fn the_configuration_is_written_as_it_is_read() {
        let text = redacted(&Config::default()).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default());
    }
}
