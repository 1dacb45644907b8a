//! Anybody's SQL, over the views and nothing else: it reads, and it ends in time.

use std::{sync::mpsc, time::Duration};

use anyhow::{Result, anyhow, bail};
use rusqlite::{
    hooks::{AuthAction, AuthContext, Authorization},
    limits::Limit,
    types::ValueRef,
};
use serde_json::Value as Json;

use super::{History, VIEWS};
use crate::text;

/// The answer to somebody's SQL.
#[derive(Clone, Debug, Default)]
pub struct SqlAnswer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, a value per column.
    pub rows: Vec<Vec<Json>>,
    /// There were more than were asked for.
    pub is_cut: bool,
}

/// How long a statement may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(1);

/// As [`sql`], of a history that nobody asks afterwards, and in time whatever the statement
/// does: within one call of a function SQLite looks at no clock, so a thread of its own asks,
/// which is left alone when it is late.
///
/// # Errors
/// As of [`sql`].
pub fn sql_in_time(
    mut history: History,
    statement: String,
    most: usize,
    limit: Duration,
) -> Result<SqlAnswer> {
    let (answered, answer) = mpsc::sync_channel(1);
    std::thread::Builder::new().name("sql".to_owned()).spawn(move || {
        // Nobody waits any more when it is late.
        let _late = answered.send(sql(&mut history, &statement, most, limit));
    })?;
    answer.recv_timeout(limit.saturating_add(GRACE)).unwrap_or_else(|_late| Err(too_long(limit)))
}

fn too_long(limit: Duration) -> anyhow::Error {
    anyhow!(
        "the statement took longer than {} s: narrow it down by time_ns, or raise --timeout",
        limit.as_secs_f64()
    )
}

/// What `statement` selects from the views, at most `most` rows, within `limit`.
///
/// # Errors
/// When it is not one SELECT over the views, is wrong, or takes too long.
pub fn sql(
    history: &mut History,
    statement: &str,
    most: usize,
    limit: Duration,
) -> Result<SqlAnswer> {
    history.connection.authorizer(Some(authorize))?;
    let answer = ask(history, statement, most, limit);
    let connection = &mut history.connection;
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    connection.progress_handler(0, None::<fn() -> bool>)?;
    answer
}

/// The longest text or blob that a statement may make, in bytes: one call of a function
/// cannot be interrupted, and takes as long as what it makes is long.
const MAX_LENGTH: i32 = 16 << 20;

fn ask(history: &mut History, statement: &str, most: usize, limit: Duration) -> Result<SqlAnswer> {
    history.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_LENGTH)?;
    history.watch(move |elapsed| elapsed > limit)?;
    let names = VIEWS.map(|view| view.name).join(", ");
    let mut prepared = history.connection.prepare(statement).map_err(|error| wrong(&error))?;
    let mut answer = SqlAnswer {
        columns: prepared.column_names().map(str::to_owned).collect(),
        ..SqlAnswer::default()
    };
    if answer.columns.is_empty() || !prepared.readonly() {
        bail!("only a SELECT is answered; views are {names}");
    }
    let mut rows = prepared.query([])?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if is_interrupted(&error) => return Err(too_long(limit)),
            Err(error) => return Err(wrong(&error)),
        };
        if answer.rows.len() == most {
            answer.is_cut = true;
            break;
        }
        let values = (0..answer.columns.len()).map(|at| Ok(json(row.get_ref(at)?)));
        answer.rows.push(values.collect::<rusqlite::Result<_>>()?);
    }
    Ok(answer)
}

/// What is wrong with a statement, and what there is instead.
#[expect(clippy::wildcard_enum_match_arm, reason = "any other error speaks for itself")]
fn wrong(error: &rusqlite::Error) -> anyhow::Error {
    let names = VIEWS.map(|view| view.name).join(", ");
    let message = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    if let Some(table) = message.strip_prefix("no such table: ") {
        return anyhow!("no such view: {table}; views are {names}");
    }
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::TooBig) => {
            anyhow!("a statement may make no text or blob of more than {} MiB", MAX_LENGTH >> 20)
        }
        Some(rusqlite::ErrorCode::AuthorizationForStatementDenied) => {
            anyhow!("only one SELECT over the views is answered: {message}; views are {names}")
        }
        _ => anyhow!("{message}"),
    }
}

/// Views are read, and what they are made of by them alone.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is not named is not allowed")]
fn authorize(context: AuthContext<'_>) -> Authorization {
    let is_view = |name: &str| VIEWS.iter().any(|view| view.name == name);
    let may = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        // Without a column its rows are only counted, as `count(*)` of what WITH has made does.
        // That of a table is allowed as well: the two look the same here, and it says nothing
        // that the views do not.
        AuthAction::Read { table_name, column_name } => {
            column_name.is_empty() || is_view(table_name) || context.accessor.is_some_and(is_view)
        }
        AuthAction::Function { function_name } => {
            !function_name.eq_ignore_ascii_case("load_extension")
        }
        _ => false,
    };
    if may { Authorization::Allow } else { Authorization::Deny }
}

fn is_interrupted(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => text::text(bytes).readable.into(),
    }
}
